import { describe, expect, test } from 'vitest';
import { readSection } from '../../src/config/file.ts';
import { effectiveSettings, formatEffective, type Layers, resolveSettings } from '../../src/config/layers.ts';
import { formatProblem } from '../../src/config/problems.ts';
import { settings } from './example.ts';

const resolve = (layers: Partial<Layers>) => resolveSettings('echo-tcp', settings, { flags: [], ...layers });
const problemsOf = (layers: Partial<Layers>) => resolve(layers).problems.map(formatProblem);
const file = (section: string) => readSection({ path: 'servers.json', text: `{ "echo-tcp": ${section} }` }, 'echo-tcp');
const flag = (name: string, ...texts: string[]) => ({ name, texts });

describe('precedence', () => {
  const layers = {
    flags: [flag('port', '1')],
    environment: { ECHO_TCP_PORT: '2', ECHO_TCP_IDLE_TIMEOUT: '2s' },
    file: file('{ "port": 3, "idle-timeout": "3s", "host": "::3" }'),
  };

  test('a flag beats a variable, a variable the file, the file the default; each value keeps its origin', () => {
    const { config, origins, problems } = resolve(layers);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({ port: 1, idleTimeoutMs: 2_000, host: '::3', logLevel: 'info' });
    expect(origins).toMatchObject({
      port: 'flag --port',
      idleTimeoutMs: 'variable ECHO_TCP_IDLE_TIMEOUT',
      host: 'servers.json:1:58',
      logLevel: 'default',
    });
  });

  test('what the layers give can not be changed afterwards', () => {
    expect(Object.isFrozen(resolve(layers).config)).toBe(true);
  });

  test('a default that depends on the machine is derived when nothing is given, and says from what', () => {
    const resolved = resolve({});
    expect(resolved.config.maxConnections).toBe(1_000);
    expect(effectiveSettings('echo-tcp', settings, resolved)['max-connections']).toEqual({
      value: 1_000,
      text: '1000',
      origin: 'default: what the machine allows',
    });
  });

  test('a command without environment and file reads flags alone', () => {
    expect(resolve({ flags: [flag('port', '5')] }).config.port).toBe(5);
  });

  test('variables of other programs are none of ours', () => {
    expect(
      resolve({ environment: { UDP_ECHO_PORT: 'abc', PORT: 'abc', ECHO_TCPPORT: 'x', ECHO_TCP: 'x' } }).problems,
    ).toEqual([]);
  });

  test('a list: a flag given several times, a variable with commas, an array in the file', () => {
    const allow = ['10.0.0.0/8', '::1/128'];
    expect(resolve({ flags: [flag('allow', ...allow)] }).config.allow).toEqual(allow);
    expect(resolve({ environment: { ECHO_TCP_ALLOW: allow.join(',') } }).config.allow).toEqual(allow);
    expect(resolve({ file: file(JSON.stringify({ allow })) }).config.allow).toEqual(allow);
  });
});

describe('problems', () => {
  test('every problem of every layer at once, also where a higher layer is right', () => {
    expect(
      problemsOf({
        flags: [flag('port', 'abc'), flag('idle-timeout', '30s')],
        environment: { ECHO_TCP_IDLE_TIMEOUT: '30', ECHO_TCP_PRT: '1', ECHO_TCP_GREETINGS_FROM_AFAR: 'x' },
        file: file('{ "log-level": "loud", "idle-timout": "5m" }'),
      }),
    ).toEqual([
      'ECHO_TCP_PRT: is an unknown variable (environment); did you mean ECHO_TCP_PORT?',
      'ECHO_TCP_GREETINGS_FROM_AFAR: is an unknown variable (environment); no setting has this name; see echo-tcp --help',
      '"idle-timout": is an unknown key (servers.json:1:38); did you mean idle-timeout?',
      'port: "abc" is not allowed (flag --port); expected a port from 0 to 65535 (0 takes a free one)',
      'idle-timeout: "30" is not allowed (variable ECHO_TCP_IDLE_TIMEOUT); expected a duration from 100ms to 24d with its unit (us, ms, s, m, h, d), such as 250ms, 30s, 5m, or 0 or off for no limit',
      'log-level: "loud" is not allowed (servers.json:1:30); expected one of info, debug',
    ]);
  });

  test('a flag given twice is told so, whether or not the values agree', () => {
    expect(problemsOf({ flags: [flag('port', '1', '1')] })).toEqual([
      'port: is given 2 times (flag --port); give it once',
    ]);
  });

  test('an empty variable is a forgotten value, not the default', () => {
    expect(problemsOf({ environment: { ECHO_TCP_PORT: '' } })).toEqual([
      'port: has no value (variable ECHO_TCP_PORT); expected a port from 0 to 65535 (0 takes a free one)',
    ]);
  });

  test('an unset variable is none', () => {
    expect(problemsOf({ environment: { ECHO_TCP_PORT: undefined } })).toEqual([]);
  });

  test('the default stands in for a wrong value, so that the rest can be checked', () => {
    expect(resolve({ flags: [flag('port', 'abc')] }).config.port).toBe(7007);
  });

  test.each([
    'null',
    '{}',
    '[]',
    '[7007]',
    '[[7007]]',
    '-1',
    '70070',
    '1.5',
    '1e99',
    'true',
    '"abc"',
    '""',
    '{ "__proto__": 1 }',
  ])('a port is no %s in the file', (value) => {
    const problems = problemsOf({ file: file(`{ "port": ${value} }`) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^port: .* \(servers\.json:1:25\); expected a port from 0 to 65535/);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is a key like any other: unknown',
    (key) => {
      expect(problemsOf({ file: file(`{ ${JSON.stringify(key)}: 1 }`) })).toEqual([
        `"${key}": is an unknown key (servers.json:1:17); no setting of echo-tcp has this name`,
      ]);
      expect(problemsOf({ environment: { [`ECHO_TCP_${key}`]: '1' } })).toHaveLength(1);
    },
  );

  test.each(['\n{"level":"info"}', '\u001b[2J', '\u202e', '\u0000', 'x'.repeat(2 ** 20), '\u2028', '\ud800'])(
    'hostile text stays within one line a problem',
    (hostile) => {
      const problems = problemsOf({
        flags: [flag('port', hostile)],
        environment: { ECHO_TCP_PORT: hostile, [`ECHO_TCP_${hostile}`]: hostile },
        file: readSection(
          {
            path: `servers${hostile}.json`,
            text: JSON.stringify({ 'echo-tcp': { port: hostile, [hostile]: hostile } }),
          },
          'echo-tcp',
        ),
      });
      expect(problems).toHaveLength(5);
      for (const problem of problems) {
        expect(problem).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(problem.length).toBeLessThan(2_000);
      }
    },
  );
});

describe('--print-config', () => {
  const resolved = resolve({ flags: [flag('idle-timeout', 'off')], environment: { ECHO_TCP_ALLOW: '10.0.0.0/8' } });

  test('every effective value as a person would write it, with its origin, aligned', () => {
    expect(formatEffective('echo-tcp', settings, resolved)).toBe(
      [
        'host = 127.0.0.1        # default',
        'port = 7007             # default',
        'no-delay = true         # default',
        'log-payload = false     # default',
        'greeting =              # default',
        'idle-timeout = off      # flag --idle-timeout',
        'recv-buffer = 64KiB     # default',
        'max-connections = 1000  # default: what the machine allows',
        'allow = 10.0.0.0/8      # variable ECHO_TCP_ALLOW',
        'log-level = info        # default',
        '',
      ].join('\n'),
    );
  });

  test('each text that it prints is read as the same value again', () => {
    for (const [name, { text, value }] of Object.entries(effectiveSettings('echo-tcp', settings, resolved))) {
      const again = resolve({ environment: { [`ECHO_TCP_${name.replaceAll('-', '_').toUpperCase()}`]: text } });
      expect(effectiveSettings('echo-tcp', settings, again)[name]?.value, name).toEqual(value);
    }
  });
});
