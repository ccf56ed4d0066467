import { describe, expect, test } from 'vitest';
import { type ParsedCommandLine, type ProgramSyntax, parseCommandLine } from '../../src/config/command-line.ts';
import { resolveSettings } from '../../src/config/layers.ts';
import { formatProblem } from '../../src/config/problems.ts';
import { defaultText, nameSettings } from '../../src/config/settings.ts';
import { settings } from './example.ts';

const program: ProgramSyntax = {
  name: 'echo-tcp',
  version: '1.2.3',
  describe: 'sends every byte back',
  commands: [
    {
      name: 'serve',
      describe: 'listen',
      operands: [],
      settings,
      extraFlags: { config: { help: 'a file', placeholder: 'FILE' }, 'check-config': { help: 'check and exit' } },
      examples: [['echo-tcp serve --port 7', 'the well-known port']],
    },
    {
      name: 'probe',
      describe: 'measure',
      operands: ['HOST:PORT'],
      settings: {},
      extraFlags: { json: { help: 'one JSON object' } },
      examples: [],
      epilogue: 'Why it is so.',
    },
    { name: 'query', describe: 'ask', operands: ['[SERVER...]'], settings: {}, extraFlags: {}, examples: [] },
  ],
};

async function parse(...argv: string[]): Promise<Extract<ParsedCommandLine, { kind: 'command' }>> {
  const parsed = await parseCommandLine(program, argv);
  if (parsed.kind !== 'command') throw new Error(`printed instead: ${parsed.text}`);
  return parsed;
}

async function printed(...argv: string[]): Promise<string> {
  const parsed = await parseCommandLine(program, argv);
  return parsed.kind === 'text' ? parsed.text : '';
}

/** Every problem of a command line, those of the values included. */
async function problemsOf(...argv: string[]): Promise<readonly string[]> {
  const { flags, problems } = await parse(...argv);
  return [...problems, ...resolveSettings('echo-tcp', settings, { flags }).problems].map(formatProblem);
}

async function configOf(...argv: string[]) {
  const { flags, problems } = await parse(...argv);
  const resolved = resolveSettings('echo-tcp', settings, { flags });
  expect([...problems, ...resolved.problems]).toEqual([]);
  return resolved.config;
}

describe('the traps of yargs', () => {
  const port = 'expected a port from 0 to 65535 (0 takes a free one)';

  test.each([
    [['--port', 'abc'], `port: "abc" is not allowed (flag --port); ${port}`],
    [['--port'], `port: has no value (flag --port); ${port}`],
    [['--port='], `port: has no value (flag --port); ${port}`],
    [['--port', ''], `port: has no value (flag --port); ${port}`],
    [['--port', '-1'], `port: "-1" is not allowed (flag --port); ${port}`],
    [['--port=-1'], `port: "-1" is not allowed (flag --port); ${port}`],
    [['--port', '0x1b5f'], `port: "0x1b5f" is not allowed (flag --port); ${port}`],
    [['--port', '1e3'], `port: "1e3" is not allowed (flag --port); ${port}`],
    [['--port', '007'], `port: "007" is not allowed (flag --port); ${port}`],
    [['--port', '7', '--port', '8'], 'port: is given 2 times (flag --port); give it once'],
    [['--port=7', '--port=7', '--port', '7'], 'port: is given 3 times (flag --port); give it once'],
    [['--no-delay=maybe'], 'no-delay: "maybe" is not allowed (flag --no-delay); expected true or false'],
    [['--no-delay='], 'no-delay: has no value (flag --no-delay); expected true or false'],
    [['--no-delay', '--no-delay=false'], 'no-delay: is given 2 times (flag --no-delay); give it once'],
    [['--check-config=yes'], 'check-config: "yes" is not allowed (flag --check-config); expected true or false'],
    [['--config'], 'config: has no value (flag --config); expected --config FILE'],
    [['--config', 'a', '--config', 'b'], 'config: is given 2 times (flag --config); give it once'],
    [['--greeting'], 'greeting: has no value (flag --greeting); expected one line of text'],
    [['--greeting', '--no-delay'], 'greeting: has no value (flag --greeting); expected one line of text'],
    [['--prot', '7'], '--prot: is an unknown flag (command line); did you mean --port?'],
    [['--prot=7'], '--prot: is an unknown flag (command line); did you mean --port?'],
    [['--idleTimeout', '5m'], '--idleTimeout: is an unknown flag (command line); did you mean --idle-timeout?'],
    [['--no-port'], '--no-port: is an unknown flag (command line); see --help'],
    [['--port.x', '7'], '--port.x: is an unknown flag (command line); did you mean --port?'],
    [['-p', '7'], '-p: is an unknown flag (command line); see --help'],
    [['--constructor', 'x'], '--constructor: is an unknown flag (command line); see --help'],
    [['--toString'], '--toString: is an unknown flag (command line); see --help'],
    [['--$0', 'x'], '--$0: is an unknown flag (command line); see --help'],
  ])('%j is one problem: %s', async (argv, problem) => expect(await problemsOf(...argv)).toEqual([problem]));

  test('no flag is taken for the prototype of something', async () => {
    expect(await problemsOf('--__proto__', 'x')).toHaveLength(1);
    expect(await problemsOf('--__proto__.port', '7')).toHaveLength(1);
  });

  test('every problem is told at once', async () => {
    expect(
      await problemsOf('--port', 'abc', '--prot', '7', 'now', '--check-config=yes', '--idle-timeout', '30'),
    ).toHaveLength(5);
  });

  test('a switch alone is on; =false is off; a setting may begin with "no-"', async () => {
    expect((await configOf('--no-delay')).noDelay).toBe(true);
    expect((await configOf('--no-delay=false')).noDelay).toBe(false);
    expect((await configOf('--no-delay', 'false')).noDelay).toBe(false);
    expect((await configOf('--log-payload')).logPayload).toBe(true);
    expect((await parse('--check-config=false')).extra.has('check-config')).toBe(false);
    expect((await parse('--check-config')).extra.get('check-config')).toBe('true');
  });

  test('text stays text: digits, dashes, equal signs, and nothing at all when that is meant', async () => {
    for (const text of ['007', '1e3', 'true', 'a=b', ' ', "it's"]) {
      expect((await configOf('--greeting', text)).greeting).toBe(text);
      expect((await configOf(`--greeting=${text}`)).greeting).toBe(text);
    }
    expect((await configOf('--greeting=--port')).greeting).toBe('--port');
    expect((await configOf('--greeting=')).greeting).toBe('');
    expect((await configOf('--greeting', '')).greeting).toBe('');
  });

  test('a list takes a flag several times', async () => {
    expect((await configOf('--allow', '10.0.0.0/8', '--allow=::1')).allow).toEqual(['10.0.0.0/8', '::1']);
  });
});

describe('commands and operands', () => {
  test('the first command is the default, whatever the flags', async () => {
    expect((await parse()).command).toBe('serve');
    expect((await parse('--port', '7')).command).toBe('serve');
    expect((await parse('serve')).command).toBe('serve');
    expect(await parse('probe', 'localhost:7', '--json')).toMatchObject({
      command: 'probe',
      operands: ['localhost:7'],
    });
  });

  test('a switch takes no operand for its value', async () => {
    expect(await parse('probe', '--json', 'localhost:7')).toMatchObject({ operands: ['localhost:7'], problems: [] });
  });

  test('operands are text, also when they look like numbers, and all words after -- are operands', async () => {
    expect((await parse('query', '007', '--', '-x', '--port=7', '--help=true', '--version')).operands).toEqual([
      '007',
      '-x',
      '--port=7',
      '--help=true',
      '--version',
    ]);
  });

  test.each([
    [
      ['prob', 'localhost:7'],
      [
        '"prob": is not understood (command line); did you mean probe?',
        '"localhost:7": is not understood (command line); the commands are serve, probe, query',
      ],
    ],
    [
      ['--', '--check-config'],
      ['"--check-config": is not understood (command line); the commands are serve, probe, query'],
    ],
    [['serve', 'now'], ['"now": is not understood (command line); serve takes no such argument']],
    [['probe'], ['HOST:PORT: is missing (command line); expected echo-tcp probe HOST:PORT']],
    [['probe', 'a:1', 'b:2'], ['"b:2": is not understood (command line); probe takes no such argument']],
    [['probe', 'a:1', '--jsn'], ['--jsn: is an unknown flag (command line); did you mean --json?']],
    [['probe', 'a:1', '--port', '7'], ['--port: is an unknown flag (command line); see --help']],
  ])('%j: %j', async (argv, problems) => {
    expect((await parse(...argv)).problems.map(formatProblem)).toEqual(problems);
  });
});

describe('help and version', () => {
  test('--help has every setting of the default command once, with what its value stands for and its default', async () => {
    const help = await printed('--help');
    for (const { name, setting } of nameSettings('echo-tcp', settings)) {
      const lines = help.split('\n').filter((line) => line.startsWith(`  --${name} `));
      expect(lines, name).toHaveLength(1);
      expect(lines[0]).toContain(`--${name} ${setting.kind.placeholder}`.trimEnd());
    }
    const flat = help.replaceAll(/\s+/g, ' ');
    for (const { setting } of nameSettings('echo-tcp', settings)) {
      expect(flat).toContain(`${setting.help} [default: ${defaultText(setting) || 'none'}]`);
    }
    for (const { name, operands, describe: what } of program.commands) {
      expect(flat).toContain([`echo-tcp ${name}`, ...operands, what].join(' '));
    }
    expect(flat).toContain('--config FILE a file');
    expect(flat).toContain('echo-tcp serve --port 7 the well-known port');
  });

  test('help of a command is about that command', async () => {
    const help = await printed('probe', '--help');
    expect(help).toMatch(/^echo-tcp probe HOST:PORT \[OPTIONS\]\n\nmeasure\n/);
    expect(help).toContain('Why it is so.');
    expect(help).not.toContain('--port');
  });

  test('no line is longer than the terminal is wide', async () => {
    const parsed = await parseCommandLine(program, ['--help'], 80);
    for (const line of parsed.kind === 'text' ? parsed.text.split('\n') : [''])
      expect(line.length).toBeLessThanOrEqual(80);
  });

  test('-h, --help beside wrong flags, and --help=true are --help; --help=false is nothing', async () => {
    const help = await printed('--help');
    expect(await printed('-h')).toBe(help);
    expect(await printed('--port', 'abc', '--help')).toBe(help);
    expect(await printed('--help=true')).toBe(help);
    expect((await parse('--help=false')).problems).toEqual([]);
  });

  test('--version is the version and nothing more', async () => {
    expect(await printed('--version')).toBe('1.2.3\n');
    expect(await printed('probe', '--version')).toBe('1.2.3\n');
  });
});

describe('a flag with a short form', () => {
  const recursive = { ...settings.logPayload, short: 'r' };
  const program: ProgramSyntax = {
    name: 'files',
    version: '1.2.3',
    describe: 'files',
    commands: [
      {
        name: 'get',
        describe: 'get',
        operands: ['PATH', '[LOCAL]'],
        settings: { recursive },
        extraFlags: {},
        examples: [],
      },
    ],
  };

  test('is the flag, and takes no operand for its value', async () => {
    expect(await parseCommandLine(program, ['get', '-r', 'photos'])).toMatchObject({
      operands: ['photos'],
      flags: [{ name: 'recursive', texts: ['true'] }],
      problems: [],
    });
  });

  test('is an operand behind --', async () => {
    expect(await parseCommandLine(program, ['get', '--', '-r'])).toMatchObject({ operands: ['-r'], flags: [] });
  });

  test('stands in the help', async () => {
    expect(await parseCommandLine(program, ['get', '--help'])).toMatchObject({
      text: expect.stringContaining('(also -r)'),
    });
  });
});
