import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatRecord } from '../../src/daemon/record-line.ts';

const HEAD = '{"level":"info"';

/** What JSON.stringify says of the whole record. */
const expected = (fields: Readonly<Record<string, unknown>>, message: string): string =>
  `${JSON.stringify({ level: 'info', ...fields, msg: message })}\n`;

const name = fc
  .oneof(fc.constantFrom('event', 'bytesIn', 'a b', '"', '\\', 'é', '\u2028', '0', '10'), fc.string({ minLength: 1 }))
  // These two would take the place of others in the object that the line is compared with.
  .filter((text) => !['level', 'msg', '__proto__', 'toJSON'].includes(text) && !/^\d+$/.test(text));
const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'idle',
    '"',
    '\\',
    '\n',
    '\x7f',
    '\ud800',
    '\u2028',
    -0,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    1e21,
    1e-7,
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, [1, 'a'], { nested: '"' }, new Date(0)),
);

test('a line is what JSON.stringify gives, whatever the fields and the message are', () => {
  fc.assert(
    fc.property(
      fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }),
      fc.string({ unit: 'binary' }),
      (fields, message) => {
        expect(formatRecord(HEAD, fields, message)).toBe(expected(fields, message));
      },
    ),
    { numRuns: 5000 },
  );
});

test('and so is one of plain fields alone, which is the usual one', () => {
  const plain = fc.dictionary(
    fc.constantFrom('event', 'conn', 'peer', 'bytesIn'),
    fc.oneof(fc.integer(), fc.stringMatching(/^[a-z.:-]*$/)),
  );
  fc.assert(
    fc.property(plain, fc.stringMatching(/^[ -~]*$/), (fields, message) => {
      expect(formatRecord(HEAD, fields, message)).toBe(expected(fields, message));
    }),
  );
});

test('fields that JSON has no words for give nothing', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  expect(formatRecord(HEAD, circle, 'x')).toBeUndefined();
  expect(formatRecord(HEAD, { big: 1n }, 'x')).toBeUndefined();
});
