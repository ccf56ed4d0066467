import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import { RefusalLog } from '../../src/server/refusals.ts';

interface RefusalRecord {
  readonly peer: string;
  readonly reason: string;
  readonly refused: number;
  readonly intervalMs?: number;
  readonly msg: string;
}

function start() {
  const records: RefusalRecord[] = [];
  const time = { ms: 0 };
  const log = createLog({
    service: 'test',
    level: 'info',
    stream: { write: (line) => records.push(JSON.parse(line)) },
  });
  const refusals = new RefusalLog(log, () => time.ms);
  const pass = (ms: number): void => {
    time.ms += ms;
    refusals.report();
  };
  return { refusals, records, pass };
}

const total = (records: readonly RefusalRecord[]): number => records.reduce((sum, { refused }) => sum + refused, 0);

describe('RefusalLog', () => {
  test('the first refusal of a source is logged at once, with its port', () => {
    const { refusals, records } = start();
    refusals.refuse('192.0.2.1:4711', '192.0.2.1', 'max-connections');
    refusals.refuse('192.0.2.1:4712', '192.0.2.1', 'max-connections');
    expect(records).toMatchObject([{ peer: '192.0.2.1:4711', reason: 'max-connections', refused: 1 }]);
  });

  test('the rest is one sum for each source and reason and interval', () => {
    const { refusals, records, pass } = start();
    for (let port = 0; port < 1_235; port++) refusals.refuse(`192.0.2.1:${port}`, '192.0.2.1', 'max-connections');
    for (let port = 0; port < 3; port++) refusals.refuse(`[2001:db8::1]:${port}`, '2001:db8::1', 'fd-limit');
    pass(10_000);
    expect(records.slice(2)).toMatchObject([
      {
        peer: '192.0.2.1',
        refused: 1_234,
        intervalMs: 10_000,
        msg: '192.0.2.1: 1,234 refused in 10 s, max-connections',
      },
      { peer: '2001:db8::1', refused: 2, intervalMs: 10_000 },
    ]);
  });

  test('a source that goes on is summed once an interval; one that paused is a first again', () => {
    const { refusals, records, pass } = start();
    const refuse = (): void => refusals.refuse('192.0.2.1:1', '192.0.2.1', 'max-connections');
    refuse();
    refuse();
    pass(10_000);
    refuse();
    pass(10_000);
    pass(10_000);
    refuse();
    expect(records.map(({ refused, intervalMs }) => [refused, intervalMs])).toEqual([
      [1, undefined],
      [1, 10_000],
      [1, 10_000],
      [1, undefined],
    ]);
  });

  test('a flood from any number of addresses is a bounded number of lines, and none is uncounted', () => {
    const { refusals, records, pass } = start();
    const flood = 50_000;
    for (let index = 0; index < flood; index++) {
      const source = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
      refusals.refuse(`${source}:1`, source, 'max-connections');
    }
    pass(10_000);
    expect(records.length).toBeLessThanOrEqual(102);
    expect(records.at(-1)).toMatchObject({ peer: 'other sources' });
    expect(total(records)).toBe(flood);
    expect([...refusals.counts]).toEqual([['max-connections', flood]]);
    pass(10_000);
    pass(10_000);
    expect(total(records)).toBe(flood);
  });
});
