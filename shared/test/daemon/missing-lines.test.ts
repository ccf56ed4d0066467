import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { missingLines } from '../../src/daemon/missing-lines.ts';

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const completed = (log: string, lines: string): string =>
  log + missingLines(Buffer.from(lines), Buffer.from(log)).toString();

/** Lines that differ, as records do by their time and number. */
const someLines = (mark: string, minLength: number) =>
  fc
    .array(fc.string(), { minLength, maxLength: 8 })
    .map((words) => words.map((word, index) => `{"n":"${mark}${index}","x":${JSON.stringify(word)}}`));

describe('what a log misses of the lines that were being written to it', () => {
  test('however far the writing had come, even inside of a character, each line is there once and in order', () => {
    fc.assert(
      fc.property(someLines('before', 0), someLines('é', 1), fc.nat(), (before, lines, cut) => {
        const log = Buffer.from(text(before));
        const bytes = Buffer.from(text(lines));
        const written = Buffer.concat([log, bytes.subarray(0, cut % (bytes.length + 1))]);
        const all = Buffer.concat([written, missingLines(bytes, written)]);
        expect(all.toString()).toBe(text([...before, ...lines]));
      }),
    );
  });

  test('so it is when another process has added whole lines behind them; one that was torn stands again, whole', () => {
    fc.assert(
      fc.property(someLines('mine', 1), someLines('other', 1), fc.nat(), (lines, others, cut) => {
        const bytes = text(lines);
        const written = bytes.slice(0, cut % (bytes.length + 1));
        const all = completed(written + text(others), bytes).split('\n');
        // What a torn line and another one made together is not a line of either.
        const whole = written === '' || written.endsWith('\n') ? others : others.slice(1);
        const found = all.filter((line) => [...lines, ...others].includes(line));
        expect(found.toSorted()).toEqual([...lines, ...whole].toSorted());
      }),
    );
  });

  test('a log that ends in half a line of somebody else gets a line feed first', () => {
    expect(completed('{"torn', '{"a":1}\n')).toBe('{"torn\n{"a":1}\n');
    expect(completed('', '{"a":1}\n')).toBe('{"a":1}\n');
  });
});
