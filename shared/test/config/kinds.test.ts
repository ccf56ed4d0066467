import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choice, count, duration, listOf, port, size, text, toggle } from '../../src/config/kinds.ts';

// One seed: a failure is the same failure on every machine.
fc.configureGlobal({ seed: 862 });

describe('limits', () => {
  test.each([duration({ off: true }), size({ off: true }), count({ off: true })])(
    'off and 0 switch a limit off, and off is how that is written',
    (kind) => {
      expect([kind.parse('off'), kind.parse('0'), kind.format(0)]).toEqual([0, 0, 'off']);
    },
  );

  test.each([duration(), size(), count()])('what can not be off refuses off and 0', (kind) => {
    expect([kind.parse('off'), kind.parse('0'), kind.parse('')]).toEqual([undefined, undefined, undefined]);
  });

  test('both ends of a range are inside it', () => {
    const kind = duration({ min: 100, max: 5_000 });
    expect(['99ms', '100ms', '5s', '5001ms'].map(kind.parse)).toEqual([undefined, 100, 5_000, undefined]);
    expect(['0', '1', '9', '10'].map(count({ min: 1, max: 9 }).parse)).toEqual([undefined, 1, 9, undefined]);
    expect(['1023B', '1KiB', '1MiB', '1048577B'].map(size({ min: 1024, max: 2 ** 20 }).parse)).toEqual([
      undefined,
      1024,
      2 ** 20,
      undefined,
    ]);
  });

  test('a duration that no timer of Node can hold is refused', () => {
    expect([duration().parse('2147483647ms'), duration().parse('2147483648ms')]).toEqual([2 ** 31 - 1, undefined]);
  });

  test('the sentence of what is allowed has the range, the units and how to switch it off', () => {
    expect(duration({ min: 100, off: true }).allowed).toBe(
      'a duration from 100ms to 24d with its unit (us, ms, s, m, h, d), such as 250ms, 30s, 5m, or 0 or off for no limit',
    );
    expect(count({ min: 1, max: 9 }).allowed).toBe('a whole number from 1 to 9');
    expect(size({ max: 2 ** 20 }).allowed).toContain('from 1B to 1MiB');
  });
});

test('a port is 0 to 65535, without sign, zeros before it or another base', () => {
  expect(['0', '65535', '65536', '-1', '+7', '07', '0x7', '7.0', ''].map(port().parse)).toEqual([
    0,
    65_535,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('a switch is true or false and nothing like it', () => {
  expect(['true', 'false', 'yes', '1', 'TRUE', ''].map(toggle().parse)).toEqual([
    true,
    false,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('a choice is one of its words, exactly', () => {
  const kind = choice('onread', 'data');
  expect(['data', 'Data', 'dat', ''].map(kind.parse)).toEqual(['data', undefined, undefined, undefined]);
});

describe('text', () => {
  const kind = text({ allowed: 'text', placeholder: 'TEXT', maxLength: 8 });

  test('its length is bounded and the bound is inside', () => {
    expect([kind.parse('12345678'), kind.parse('123456789')]).toEqual(['12345678', undefined]);
  });

  test('no control character passes: text is shown in logs and on terminals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x9f }), (code) => {
        const isControl = code < 0x20 || code >= 0x7f;
        expect(kind.parse(`a${String.fromCharCode(code)}`) === undefined).toBe(isControl);
      }),
    );
  });

  test('a rule of its own sees only what passed the others', () => {
    const seen: string[] = [];
    const ruled = text({
      allowed: 'text',
      placeholder: 'TEXT',
      maxLength: 3,
      accepts: (value) => seen.push(value) > 0 && value !== 'no',
    });
    expect(['no', 'yes', 'long', '\n'].map(ruled.parse)).toEqual([undefined, 'yes', undefined, undefined]);
    expect(seen).toEqual(['no', 'yes']);
  });
});

describe('lists', () => {
  const kind = listOf(count());

  test('commas separate, spaces around a value do not count, one wrong value refuses the list', () => {
    expect(['1,2', ' 1 , 2 ', '', '1,x', '1,,2'].map(kind.parse)).toEqual([[1, 2], [1, 2], [], undefined, undefined]);
  });

  test('what is written is read as the same list', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1 })), (values) => {
        expect(kind.parse(kind.format(values))).toEqual(values);
      }),
    );
  });
});
