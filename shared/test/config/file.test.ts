import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSection } from '../../src/config/file.ts';
import { formatProblem } from '../../src/config/problems.ts';

// One seed: a failure is the same failure on every machine.
fc.configureGlobal({ seed: 862 });

const read = (text: string) => {
  const { values, problems } = readSection({ path: 'servers.json', text }, 'echo-tcp');
  return { values, problems: problems.map(formatProblem) };
};

describe('the section of a service', () => {
  test('JSON with comments and trailing commas; each value with its line and column', () => {
    const text = [
      '// the servers of the lab',
      '{',
      '  /* not ours */ "udp-echo": { "port": "whatever" },',
      '  "echo-tcp": {',
      '    "port": 7007, // a comment',
      '\t"host": "::",',
      '  },',
      '}',
    ].join('\r\n');
    expect(read(text)).toEqual({
      values: [
        {
          name: 'port',
          text: '7007',
          isArray: false,
          source: '7007',
          origin: 'servers.json:5:13',
          keyOrigin: 'servers.json:5:5',
        },
        {
          name: 'host',
          text: '::',
          isArray: false,
          source: '::',
          origin: 'servers.json:6:10',
          keyOrigin: 'servers.json:6:2',
        },
      ],
      problems: [],
    });
  });

  test('a file without it, and a byte order mark before it, are no problem', () => {
    expect(read('{ "udp-echo": {} }')).toEqual({ values: [], problems: [] });
    expect(read('\ufeff{ "echo-tcp": { "port": 1 } }').values).toHaveLength(1);
  });

  test.each(['echo-tpc', 'Echo-TCP', 'echotcp', 'echo_tcp', 'echo-tcp '])('%j is taken for a mistyped one', (name) => {
    expect(read(`{ "${name}": {} }`).problems).toEqual([
      `"${name}": is an unknown section (servers.json:1:3); did you mean "echo-tcp"?`,
    ]);
  });

  test.each(['udp-echo', 'time-stream-tcp', 'file-server', 'sntp-client', '$schema', ''])(
    '%j is a section of somebody else',
    (name) => expect(read(`{ "${name}": {} }`).problems).toEqual([]),
  );

  test('a mistyped one is told also beside the right one, whose values hold', () => {
    const { values, problems } = read('{ "echo-tcp": { "port": 1 }, "echotcp": { "port": 2 } }');
    expect(values.map(({ text }) => text)).toEqual(['1']);
    expect(problems).toEqual(['"echotcp": is an unknown section (servers.json:1:30); did you mean "echo-tcp"?']);
  });

  test.each(['{ "port": 7022 }', '{ "port": 7022, "echo-tcp": {} }'])(
    '%s: a setting outside is read by nobody',
    (text) => {
      expect(read(text).problems).toEqual([
        '"port": is no section (servers.json:1:3); settings stand in the section of a service: { "echo-tcp": { "port": ... } }',
      ]);
    },
  );

  test('what is for editors alone is no setting', () => {
    expect(read('{ "$schema": "./servers.schema.json" }').problems).toEqual([]);
  });

  test.each([
    ['null', 'is null'],
    ['[]', 'is of type array'],
    ['7007', 'is of type number'],
  ])('it is an object, not %s', (value, what) => {
    expect(read(`{ "echo-tcp": ${value} }`).problems).toEqual([
      `"echo-tcp": ${what} (servers.json:1:15); expected an object`,
    ]);
  });

  test('a key or a section given twice is told so, with the place of the second', () => {
    expect(read('{ "echo-tcp": { "port": 1, "port": 2 } }').problems).toEqual([
      'port: is given twice in this section (servers.json:1:28); keep one of the two',
    ]);
    expect(read('{ "echo-tcp": {}, "echo-tcp": {} }').problems).toEqual([
      '"echo-tcp": is given twice in this file (servers.json:1:19); keep one of the two',
    ]);
  });
});

describe('what is no configuration', () => {
  test.each(['[]', '7007', '"x"', 'null', 'true'])('a file that holds %s says what it should hold', (text) => {
    expect(read(text).problems).toEqual([
      'servers.json: is no JSON object (servers.json:1:1); expected an object with one section a service, such as { "echo-tcp": { "port": 7007 } }',
    ]);
  });

  test.each([
    ['', '1:1', 'value expected'],
    ['// nothing', '1:11', 'value expected'],
    ['{\n  "echo-tcp": {\n    "port" 7007\n  }\n}', '3:12', 'colon expected'],
    ['{ "echo-tcp": { "port": 7007 "host": "::" } }', '1:30', 'comma expected'],
    ['{ "echo-tcp": { "port": 7007 ', '1:30', 'close brace expected'],
    ["{ 'echo-tcp': {} }", '1:3', 'invalid symbol'],
    ['{ "echo-tcp": { "greeting": "a\tb" } }', '1:29', 'invalid character'],
  ])('%j: one problem, at %s: %s', (text, place, what) => {
    expect(read(text).problems).toEqual([
      `servers.json: not valid JSON: ${what} (servers.json:${place}); expected JSON; comments are allowed`,
    ]);
  });

  test.each(['[', '{"a":', '{"echo-tcp":{"port":['])('100,000 times %j ends nobody', (unit) => {
    const { problems } = read(unit.repeat(100_000));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^servers\.json: nests deeper than 32 levels \(servers\.json:1:\d+\)/);
  });

  test('many sections side by side are no nesting', () => {
    const sections = Array.from({ length: 99 }, (_, index) => `"other-${index}": { "allow": [] }`);
    expect(read(`{ ${sections.join(', ')} }`).problems).toEqual([]);
  });

  test('brackets in strings and comments are no nesting', () => {
    expect(read(`{ "echo-tcp": { "greeting": "${'['.repeat(99)}" } } // ${'{'.repeat(99)}`).problems).toEqual([]);
  });

  test('no text at all makes it throw, and every problem is one line', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"echo-tcp"',
      '"port"',
      '7007',
      'null',
      '//',
      '/*',
      '\\',
      '\n',
      '\u0000',
      '\u2028',
      '😀',
      ' ',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces)), (parts) => {
        for (const problem of read(parts.join('')).problems) expect(problem).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 2_000 },
    );
  });
});
