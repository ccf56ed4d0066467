/** The bins, spawned for real: what they print, where, and with which exit code. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fleetPorts } from '../shared/src/nettool/ports.ts';
import { nodePath, repository, runProgram, startDaemon } from './support/daemon.ts';
import { serviceNames } from './support/fleet.ts';
import { runWith } from './support/run.ts';

const services = await serviceNames();

/** What stands among the examples of a help text and is neither a command nor, indented, what one does. */
function brokenExamples(service: string, help: string): readonly string[] {
  const [examples = ''] = help.split('\nExamples:\n')[1]?.split('\n\n') ?? [];
  const whole = new RegExp(`^(  .*\\b${service}\\b|      \\S)`);
  return examples.split('\n').filter((line) => line !== '' && !whole.test(line));
}

describe.each(services)('%s', (service) => {
  test('--help goes to stdout, fits 100 columns, and names every command', async () => {
    const { code, stdout, stderr } = await runProgram(service, ['--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^${service} \\[COMMAND\\]`));
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    for (const [, command = ''] of stdout.matchAll(new RegExp(`^  ${service} (\\w+)`, 'gm'))) {
      const help = await runProgram(service, [command, '--help']);
      expect([help.code, help.stdout]).toEqual([0, expect.stringMatching(new RegExp(`^${service} ${command} `))]);
      expect([command, brokenExamples(service, help.stdout)]).toEqual([command, []]);
    }
  });

  test('--version is the version of its package', async () => {
    const manifest = JSON.parse(await readFile(`${repository}services/${service}/package.json`, 'utf8')) as {
      version: string;
    };
    expect(await runProgram(service, ['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  test('--check-config is OK for the defaults', async () => {
    expect(await runProgram(service, ['--check-config'])).toEqual({
      code: 0,
      stdout: 'configuration OK\n',
      stderr: '',
    });
  });

  test('--print-config says the same for people and for programs', async () => {
    const people = await runProgram(service, ['--print-config']);
    const programs = await runProgram(service, ['--print-config', '--json']);
    expect([people.code, people.stderr, programs.code, programs.stderr]).toEqual([0, '', 0, '']);
    const effective = JSON.parse(programs.stdout) as Record<string, { value: unknown; text: string; origin: string }>;
    const lines = Object.entries(effective).map(([name, { text, origin }]) => [`${name} = ${text}`.trimEnd(), origin]);
    const printed = people.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ +# /));
    expect(printed).toEqual(lines);
    for (const { origin } of Object.values(effective)) expect(origin).toMatch(/^default/);
  });

  test('an unknown command and an unknown flag are told on stderr with the exit code 78', async () => {
    const help = await runProgram(service, ['--help']);
    const [, first = ''] = new RegExp(`^  ${service} (\\w+)`, 'm').exec(help.stdout) ?? [];
    const mistyped = `${first.slice(0, -2)}${first.slice(-1)}${first.slice(-2, -1)}`;
    const { code, stdout, stderr } = await runProgram(service, [mistyped, '--hots', '::']);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain(`${service}: "${mistyped}": is not understood (command line); did you mean ${first}?\n`);
    expect(stderr).toMatch(new RegExp(`^${service}: --hots: is an unknown flag \\(command line\\)`, 'm'));
  });
});

test('what can not be printed is told by the exit code, also of help', async () => {
  const bin = `${nodePath} ${repository}services/echo-tcp/src/bin.js`;
  const inShell = (command: string) => runWith('', 'bash', '-c', command);
  for (const flag of ['--help', '--version']) {
    const { code, stderr } = await inShell(`${bin} ${flag} > /dev/full`);
    expect([code, stderr]).toEqual([1, 'echo-tcp: standard output: ENOSPC: no space left on device, write\n']);
  }
});

test('nettool knows every service by the port that is its default', async () => {
  const defaults = await Promise.all(
    services.map(async (service) => {
      const { stdout } = await runProgram(service, ['--print-config', '--json']);
      const { port } = JSON.parse(stdout) as { port?: { value: number } };
      return [service, port?.value] as const;
    }),
  );
  const listening = defaults.filter(([, port]) => port !== undefined);
  expect(Object.fromEntries(fleetPorts.map(({ service, port }) => [service, port]))).toEqual(
    Object.fromEntries(listening),
  );
});

describe('layers in the real program', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entry-'));
    await writeFile(
      join(folder, 'good.json'),
      '{ "echo-tcp": { "port": 3, "backlog": 3, "idle-timeout": "3s" } } // lab',
    );
    await writeFile(join(folder, 'bad.json'), '{\n  "echo-tcp": {\n    "prot": 7,\n    "backlog": "many"\n  }\n}\n');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('flag, variable, file and default each have their place and are named', async () => {
    const args = ['--port', '1', '--print-config', '--json', '--config', join(folder, 'good.json')];
    const { code, stdout } = await runProgram('echo-tcp', args, { ECHO_TCP_PORT: '2', ECHO_TCP_BACKLOG: '2' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      port: { value: 1, text: '1', origin: 'flag --port' },
      backlog: { value: 2, text: '2', origin: 'variable ECHO_TCP_BACKLOG' },
      'idle-timeout': { value: 3_000, text: '3s', origin: `${join(folder, 'good.json')}:1:58` },
      host: { value: '127.0.0.1', text: '127.0.0.1', origin: 'default' },
    });
  });

  test('every problem of every layer at once, on one line each, exit code 78', async () => {
    const config = join(folder, 'bad.json');
    const { code, stdout, stderr } = await runProgram('echo-tcp', ['--port', 'abc', '--check-config'], {
      ECHO_TCP_PORT: '',
      ECHO_TCP_PRT: '7',
      SMALL_SERVERS_CONFIG: config,
    });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr.trimEnd().split('\n').toSorted()).toEqual(
      [
        'echo-tcp: ECHO_TCP_PRT: is an unknown variable (environment); did you mean ECHO_TCP_PORT?',
        `echo-tcp: "prot": is an unknown key (${config}:3:5); did you mean port?`,
        `echo-tcp: backlog: "many" is not allowed (${config}:4:16); expected a whole number from 1 to 65535`,
        'echo-tcp: port: "abc" is not allowed (flag --port); expected a port from 0 to 65535 (0 takes a free one)',
        'echo-tcp: port: has no value (variable ECHO_TCP_PORT); expected a port from 0 to 65535 (0 takes a free one)',
      ].toSorted(),
    );
  });

  test.each([
    [['--config', '/nonexistent/servers.json'], 'ENOENT'],
    [['--config', tmpdir()], 'EISDIR'],
    [['--config', 'a\nb'], 'ENOENT'],
  ])('a file that can not be read is one line: %j', async (args, why) => {
    const { code, stderr } = await runProgram('echo-tcp', [...args, '--check-config']);
    expect(code).toBe(78);
    expect(stderr).toMatch(
      new RegExp(`^echo-tcp: .* can't be read: ${why}.* \\(flag --config\\); expected a readable file\\n$`),
    );
  });

  test('with a wrong configuration nothing is served and nothing is logged', async () => {
    const { code, stdout } = await runProgram('echo-tcp', ['serve', '--port', '0', '--check-config=maybe']);
    expect([code, stdout]).toEqual([78, '']);
  });
});

describe('a client command', () => {
  test('--json is one object on one line; the exit code is for scripts', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const target = `127.0.0.1:${daemon.port}`;
    const { code, stdout, stderr } = await runProgram('echo-tcp', [
      'probe',
      target,
      '--count',
      '2',
      '--rate',
      '100',
      '--json',
    ]);
    expect([code, stderr, stdout.trimEnd().split('\n').length]).toEqual([0, '', 1]);
    expect(JSON.parse(stdout)).toMatchObject({ target, sent: 2, returned: 2, unanswered: 0, missed: [] });

    const missed = await runProgram('echo-tcp', ['probe', target, '--count', '1', '--max-p99', '1us', '--json']);
    expect([missed.code, JSON.parse(missed.stdout).missed]).toEqual([
      2,
      [expect.objectContaining({ limit: 'max-p99', limitMs: 0.001 })],
    ]);
  });

  test('nobody there is 1 and a sentence, wrong usage is 78 and every problem', async () => {
    const daemon = await startDaemon('echo-tcp');
    await daemon.stop();
    const refused = await runProgram('echo-tcp', ['probe', `127.0.0.1:${daemon.port}`]);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/^echo-tcp: [^\n]*\n$/);

    const wrong = await runProgram('echo-tcp', ['probe', 'nowhere', '--size', '64', '--jsn']);
    expect([wrong.code, wrong.stderr.trimEnd().split('\n').length]).toEqual([78, 3]);
  });
});

describe('the compile cache', () => {
  test.each([
    ...services.map((service) => [service, 'a state folder that is new', 'state'] as const),
    ...services.map((service) => [service, 'one that can not be made', 'file/state'] as const),
  ])('%s starts with %s', async (service, _, name) => {
    const folder = await mkdtemp(join(tmpdir(), 'compile-cache-'));
    try {
      await writeFile(join(folder, 'file'), '');
      const state = join(folder, name);
      expect(await runProgram(service, ['--version'], { SMALL_SERVERS_STATE: state })).toMatchObject({
        code: 0,
        stderr: '',
      });
      const run = join(state, 'run');
      const kept = await stat(run).then(
        ({ mode }) => mode & 0o777,
        () => undefined,
      );
      const modules = await readdir(join(run, 'compile-cache'), { recursive: true }).catch(() => []);
      // Private: whoever may write there has his code run by us.
      expect([kept, modules.length > 10]).toEqual(name === 'state' ? [0o700, true] : [undefined, false]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
