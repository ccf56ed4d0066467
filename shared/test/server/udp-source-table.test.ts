import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceAddress } from '../../src/server/source-address.ts';
import { SourceTable } from '../../src/server/source-table.ts';
import { source } from './udp-support.ts';

function tableOf(capacity: number, ratePerSecond = 0) {
  const forgotten: number[] = [];
  const table: SourceTable = new SourceTable({
    capacity,
    ratePerSecond,
    seed: 42,
    onForgotten: (row) => forgotten.push(table.activity(row).received),
  });
  /** What the gate does with a datagram; whether it may pass. */
  const arrive = (from: SourceAddress, nowMs: number, unlimited = false): boolean | undefined => {
    const known = table.find(from);
    const row = known >= 0 ? known : table.add(from, nowMs, unlimited);
    if (row < 0) return undefined;
    table.count(row, from, 10);
    return table.take(row, nowMs);
  };
  return { table, arrive, forgotten };
}

const v4 = (index: number, port?: number): SourceAddress => source(`10.0.${index >> 8}.${index & 255}`, port);

describe('the table of sources', () => {
  test('an IPv4 source is its address, an IPv6 source its /64, and the two never meet', () => {
    const { table, arrive } = tableOf(8);
    arrive(source('192.0.2.1', 1), 0);
    arrive(source('192.0.2.1', 2), 0);
    arrive(source('2001:db8:0:1::1'), 0);
    arrive(source('2001:db8:0:1:ffff::2'), 0);
    expect(table.size).toBe(2);
    arrive(source('2001:db8:0:2::1'), 0);
    arrive(source('::c000:201'), 0);
    expect(table.size).toBe(4);
  });

  test('a source has its rate, a burst of one second, and does not take from its neighbour', () => {
    const { arrive } = tableOf(8, 5);
    expect(Array.from({ length: 6 }, () => arrive(v4(1), 0))).toEqual([true, true, true, true, true, false]);
    expect(arrive(v4(2), 0)).toBe(true);
    expect([arrive(v4(1), 200), arrive(v4(1), 200)]).toEqual([true, false]);
  });

  test('an unlimited source, and all of them at rate 0, always have a token', () => {
    const limited = tableOf(8, 1);
    for (let index = 0; index < 10; index++) expect(limited.arrive(v4(1), 0, true)).toBe(true);
    const open = tableOf(8, 0);
    for (let index = 0; index < 10; index++) expect(open.arrive(v4(1), 0)).toBe(true);
  });

  test('holds just as many sources as it has rows; a full bucket may be forgotten, one in use may not', () => {
    const { table, arrive } = tableOf(2, 1);
    expect(arrive(v4(1), 0)).toBe(true);
    expect(arrive(v4(2), 0)).toBe(true);
    // Both have used their token: forgetting one would give it another.
    expect(arrive(v4(3), 500)).toBeUndefined();
    expect(arrive(v4(1), 500)).toBe(false);
    // A second later both are as good as new, and one makes room.
    expect(arrive(v4(3), 1_500)).toBe(true);
    expect(table.size).toBe(2);
  });

  test('a flood of one-off sources does not push out one that keeps talking', () => {
    const { table, arrive, forgotten } = tableOf(64);
    const talker = source('192.0.2.1');
    for (let index = 0; index < 10; index++) arrive(talker, 0);
    for (let index = 0; index < 5_000; index++) arrive(v4(index), 0);
    const row = table.find(talker);
    expect(row).toBeGreaterThanOrEqual(0);
    expect(table.activity(row).received).toBe(10);
    expect(forgotten).toHaveLength(5_000 - 63);
    expect(new Set(forgotten)).toEqual(new Set([1]));
  });

  test('an interval ends with a report of who was active; who was silent after it is forgotten', () => {
    const { table, arrive } = tableOf(16);
    for (const index of [1, 2, 2, 3]) arrive(v4(index), 0);
    const reported: [number, number][] = [];
    const note = (row: number) => void reported.push([table.activity(row).words[0] ?? 0, table.activity(row).received]);
    table.endInterval(0, note);
    expect(reported.sort()).toEqual([
      [v4(1).w3, 1],
      [v4(2).w3, 2],
      [v4(3).w3, 1],
    ]);
    arrive(v4(2), 0);
    reported.length = 0;
    table.endInterval(0, note);
    expect(reported).toEqual([[v4(2).w3, 1]]);
    expect(table.size).toBe(1);
  });

  test('a silent source with an empty bucket stays until the bucket is full', () => {
    const { table, arrive } = tableOf(16, 1);
    arrive(v4(1), 0);
    table.endInterval(10, () => {});
    table.endInterval(20, () => {});
    expect(table.size).toBe(1);
    table.endInterval(2_000, () => {});
    expect(table.size).toBe(0);
  });

  test('activity names the port while there is one, and the address while there is one', () => {
    const { table, arrive } = tableOf(16);
    const row = () => table.find(source('2001:db8::1'));
    arrive(source('2001:db8::1', 5), 0);
    arrive(source('2001:db8::1', 5), 0);
    expect(table.activity(row())).toMatchObject({ port: 5, severalAddresses: false });
    arrive(source('2001:db8::1', 6), 0);
    expect(table.activity(row())).toMatchObject({ port: 0, severalAddresses: false });
    arrive(source('2001:db8::2', 6), 0);
    expect(table.activity(row())).toMatchObject({ port: 0, severalAddresses: true });
    table.endInterval(0, () => {});
    arrive(source('2001:db8::2', 9), 0);
    expect(table.activity(row())).toMatchObject({ port: 9, severalAddresses: false, received: 1, bytesIn: 10 });
  });

  test('finds just what a plain map finds, whatever comes, is forgotten and comes again', () => {
    const step = fc.record({ index: fc.integer({ min: 0, max: 40 }), end: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 32 }), (steps, capacity) => {
        const model = new Model(capacity);
        for (const { index, end } of steps) {
          model.arrive(index);
          if (end) model.endInterval();
          model.compare();
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** The table beside a map that holds what the table should. */
class Model {
  readonly #counts = new Map<number, number>();
  readonly #table: SourceTable;

  constructor(capacity: number) {
    this.#table = new SourceTable({
      capacity,
      ratePerSecond: 0,
      seed: 7,
      onForgotten: (row) => void this.#counts.delete((this.#table.activity(row).words[0] ?? 0) & 0xffff),
    });
  }

  arrive(index: number): void {
    const known = this.#table.find(v4(index));
    const row = known >= 0 ? known : this.#table.add(v4(index), 0, false);
    this.#table.count(row, v4(index), 1);
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1);
  }

  endInterval(): void {
    for (const [index, count] of this.#counts) {
      if (count === 0) this.#counts.delete(index);
      else this.#counts.set(index, 0);
    }
    this.#table.endInterval(0, () => {});
  }

  compare(): void {
    for (let index = 0; index <= 40; index++) {
      const row = this.#table.find(v4(index));
      expect(row >= 0 ? this.#table.received[row] : undefined).toBe(this.#counts.get(index));
    }
    expect(this.#table.size).toBe(this.#counts.size);
  }
}
