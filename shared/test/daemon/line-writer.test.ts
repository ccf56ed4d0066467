import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LineWriter, type LineWriterOptions } from '../../src/daemon/line-writer.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A descriptor that takes what `takes` says, or throws; what it took, call by call. */
function start(
  takes: (bytes: Uint8Array) => number = (bytes) => bytes.length,
  options: Pick<LineWriterOptions, 'store' | 'eachLine'> = {},
) {
  const calls: string[] = [];
  const lost: number[] = [];
  const device = { takes };
  const writer = new LineWriter({
    ...options,
    onLost: (lines) => lost.push(lines),
    write: (bytes) => {
      const taken = device.takes(bytes);
      calls.push(Buffer.from(bytes.subarray(0, taken)).toString());
      return taken;
    },
  });
  return { writer, calls, lost, device, written: () => calls.join('') };
}

const busy = (): number => {
  throw Object.assign(new Error('busy'), { code: 'EAGAIN' });
};
const all = (bytes: Uint8Array): number => bytes.length;
const KIB = 'x'.repeat(1023).concat('\n');

describe('LineWriter', () => {
  test('a line after a pause is written at once, those that follow within 5 ms together', () => {
    const { writer, calls } = start();
    for (const line of ['a\n', 'b\n', 'c\n']) writer.write(line);
    expect(calls).toEqual(['a\n']);
    vi.advanceTimersByTime(5);
    expect(calls).toEqual(['a\n', 'b\nc\n']);
    writer.write('d\n');
    expect(calls).toHaveLength(2);
    vi.advanceTimersByTime(5);
    expect(calls).toEqual(['a\n', 'b\nc\n', 'd\n']);
    vi.advanceTimersByTime(5);
    writer.write('e\n');
    expect(calls).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('many lines do not wait for the end of the 5 ms', () => {
    const { writer, calls } = start();
    for (let index = 0; index < 130; index += 1) writer.write(KIB);
    expect(calls.map((text) => text.length / 1024)).toEqual([1, 64, 64]);
  });

  test('a flush writes what was collected: an exit loses nothing', () => {
    const { writer, written } = start();
    for (const line of ['a\n', 'b\n']) writer.write(line);
    writer.flushSync();
    expect(written()).toBe('a\nb\n');
  });

  test('a descriptor that takes a byte at a time is given the rest of each character', () => {
    const taken: number[] = [];
    const { writer } = start((bytes) => {
      taken.push(bytes[0] ?? 0);
      return 1;
    });
    writer.write('é€\n');
    expect(Buffer.from(taken).toString()).toBe('é€\n');
  });

  test('a reader that is slow gets every line, in order, whenever it is ready', () => {
    const { writer, written, device, lost } = start();
    let free = 10;
    device.takes = (bytes) => {
      if (free === 0) busy();
      const taken = Math.min(free, bytes.length);
      free -= taken;
      return taken;
    };
    for (let index = 0; index < 10; index += 1) writer.write(`line ${index}\n`);
    for (let tries = 0; tries < 20; tries += 1) {
      free = 10;
      vi.advanceTimersByTime(50);
    }
    expect(written()).toBe(Array.from({ length: 10 }, (_, index) => `line ${index}\n`).join(''));
    expect(lost).toEqual([]);
  });

  test('a descriptor that takes nothing costs bounded memory, and how many lines were lost is told', () => {
    const { writer, written, device, lost } = start(busy);
    for (let index = 0; index < 5_000; index += 1) writer.write(KIB);
    device.takes = all;
    vi.advanceTimersByTime(50);
    const kept = written().length / 1024;
    expect(kept).toBeGreaterThan(1_000);
    expect(kept).toBeLessThan(2_100);
    expect(lost).toEqual([5_000 - kept]);
    writer.write('after\n');
    expect(written().endsWith('after\n')).toBe(true);
  });

  test('when no more can be kept it waits for a slow reader rather than lose a line', () => {
    const { writer, written, device, lost } = start();
    let calls = 0;
    device.takes = (bytes) => {
      calls += 1;
      return calls % 3 === 0 ? bytes.length : busy();
    };
    for (let index = 0; index < 3_000; index += 1) writer.write(KIB);
    device.takes = all;
    writer.flushSync();
    expect([written().length, lost]).toEqual([3_000 * 1024, []]);
  });

  test('an urgent line takes those that were collected before it along', () => {
    const { writer, calls } = start();
    for (const line of ['a\n', 'b\n']) writer.write(line);
    writer.write('urgent\n', true);
    expect(calls).toEqual(['a\n', 'b\nurgent\n']);
  });

  test('without memory that outlives the process each line can be written as it comes', () => {
    const { writer, calls } = start(all, { eachLine: true });
    for (const line of ['a\n', 'b\n', 'c\n']) writer.write(line);
    expect(calls).toEqual(['a\n', 'b\n', 'c\n']);
  });

  test('at every moment the store says what is not written yet, be it a part of a line', () => {
    const bytes = Buffer.alloc(64);
    const held: string[] = [];
    const store = { bytes, hold: (from: number, to: number) => void held.push(bytes.toString('utf8', from, to)) };
    const { writer, device } = start(busy, { store });
    for (const line of ['één\n', 'two\n']) writer.write(line);
    expect(held.splice(0)).toEqual(['één\n', 'één\ntwo\n']);
    const takes = [6];
    device.takes = () => takes.shift() ?? busy();
    writer.flush();
    expect(held.splice(0)).toEqual(['two\n']);
    // 60 bytes fit into what is left and what was given back, and no more.
    for (let index = 0; index < 15; index += 1) writer.write(`${index}\n`.padStart(4, ' '));
    expect(held.at(-1)).toMatch(/^two\n {2}0\n.* 14\n$/s);
    device.takes = all;
    writer.flush();
    expect(held.at(-1)).toBe('');
  });

  test('a line longer than the store is lost and counted, the others are not', () => {
    const { writer, written, lost } = start(all, { store: { bytes: Buffer.alloc(16), hold: () => {} } });
    for (const line of ['a\n', `${'x'.repeat(20)}\n`, 'b\n']) writer.write(line);
    writer.flushSync();
    writer.write('c\n');
    writer.flushSync();
    expect([written(), lost]).toEqual(['a\nb\nc\n', [1]]);
  });
});
