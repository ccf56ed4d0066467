import { describe, expect, test } from 'vitest';
import { parseCidr } from '../../src/inet/cidr.ts';
import { createAccessList } from '../../src/server/access.ts';
import { DatagramGate, DROPPED } from '../../src/server/datagram-gate.ts';
import { dropReasonNames } from '../../src/server/datagram-reasons.ts';
import type { SourceAddress } from '../../src/server/source-address.ts';
import type { RatePerSource } from '../../src/server/udp-settings.ts';
import { keptLog, source } from './udp-support.ts';

const open = createAccessList({ allow: [], deny: [] });

function denying(text: string) {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return createAccessList({ allow: [], deny: [parsed.value] });
}

interface Limits {
  ratePerSource?: RatePerSource;
  maxSources?: number;
  access?: ReturnType<typeof createAccessList>;
}

function gateOf({ ratePerSource = 0, maxSources = 1_000, access = open }: Limits = {}) {
  const { log, records } = keptLog();
  const gate = new DatagramGate({
    log,
    ownPort: 7_777,
    seed: 1,
    nowMs: 0,
    ratePerSource,
    maxSources,
    access,
    readBroadcasts: () => new Set([source('192.0.2.255').w3]),
  });
  let sequence = 0;
  /** A datagram of 4 bytes, each one another; whether it was answered. */
  const arrive = (from: SourceAddress): boolean => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(sequence++);
    const row = gate.admit(from, bytes, 0, bytes.length);
    if (row === DROPPED) return false;
    gate.answered(row, bytes, 0, bytes.length);
    return true;
  };
  const drops = () => records.filter(({ event }) => event === 'datagram-dropped');
  const summaries = () => records.filter(({ event }) => event === 'datagrams');
  return { gate, arrive, records, drops, summaries };
}

describe('the gate', () => {
  test.each([
    ['source-port-zero', source('192.0.2.1', 0)],
    ['loop-guard', source('192.0.2.1', 7_777)],
    ['loop-guard', source('2001:db8::1', 53)],
    ['bad-source', source('224.0.0.1')],
    ['bad-source', source('255.255.255.255')],
    ['bad-source', source('192.0.2.255')],
    ['bad-source', source('::')],
    ['denied', source('198.51.100.7')],
  ])('%s: no answer, counted, and said in one record', (reason, from) => {
    const { gate, arrive, drops } = gateOf({ access: denying('198.51.100.0/24') });
    expect(arrive(from)).toBe(false);
    expect(gate.counts.dropped).toMatchObject({ [reason]: 1 });
    expect(gate.counts).toMatchObject({ received: 1, echoed: 0, bytesIn: 4, bytesOut: 0, sources: 0 });
    expect(drops()).toHaveLength(1);
    expect(drops()[0]).toMatchObject({ reason, dropped: 1 });
  });

  test('a good source is answered, and nothing is said until the interval ends', () => {
    const { gate, arrive, records, summaries } = gateOf();
    expect(arrive(source('192.0.2.1', 5_000))).toBe(true);
    expect(records).toEqual([]);
    gate.report(10_000);
    expect(summaries()).toEqual([
      expect.objectContaining({
        peer: '192.0.2.1:5000',
        received: 1,
        echoed: 1,
        dropped: 0,
        bytesIn: 4,
        bytesOut: 4,
        intervalMs: 10_000,
      }),
    ]);
  });

  test('every reason of the table is counted from the start', () => {
    expect(Object.keys(gateOf().gate.counts.dropped)).toEqual(dropReasonNames);
  });

  test('the rate holds for each source; time comes in with tick alone', () => {
    const { gate, arrive } = gateOf({ ratePerSource: 2 });
    const from = source('192.0.2.1');
    expect([arrive(from), arrive(from), arrive(from)]).toEqual([true, true, false]);
    expect(arrive(source('192.0.2.2'))).toBe(true);
    gate.tick(500);
    expect([arrive(from), arrive(from)]).toEqual([true, false]);
    expect(gate.counts.dropped['rate-limited']).toBe(2);
  });

  test('auto limits strangers and not the loopback; a number limits both', () => {
    const auto = gateOf({ ratePerSource: 'auto' });
    const burst = (arrive: (from: SourceAddress) => boolean, from: SourceAddress): number =>
      Array.from({ length: 20_000 }, () => arrive(from)).filter(Boolean).length;
    expect(burst(auto.arrive, source('192.0.2.1'))).toBe(10_000);
    expect(burst(auto.arrive, source('127.0.0.1'))).toBe(20_000);
    expect(burst(auto.arrive, source('::1'))).toBe(20_000);
    expect(burst(gateOf({ ratePerSource: 100 }).arrive, source('127.0.0.1'))).toBe(100);
  });

  test('a full table refuses new sources and keeps serving those it knows', () => {
    const { gate, arrive } = gateOf({ ratePerSource: 10, maxSources: 2 });
    expect([arrive(source('192.0.2.1')), arrive(source('192.0.2.2'))]).toEqual([true, true]);
    expect(arrive(source('192.0.2.3'))).toBe(false);
    expect(arrive(source('192.0.2.1'))).toBe(true);
    expect(gate.counts.dropped['too-many-sources']).toBe(1);
  });

  test('an answer that could not be sent is a drop and no echo', () => {
    const { gate, arrive, summaries } = gateOf();
    const from = source('192.0.2.1', 5_000);
    arrive(from);
    arrive(from);
    gate.failed(from, 4);
    expect(gate.counts).toMatchObject({ received: 2, echoed: 1, bytesOut: 4 });
    expect(gate.counts.dropped['send-failed']).toBe(1);
    gate.report(1_000);
    expect(summaries()[0]).toMatchObject({ received: 2, echoed: 1, dropped: 1, bytesOut: 4 });
  });

  test('limits change while it runs', () => {
    const { gate, arrive } = gateOf();
    const from = source('192.0.2.1');
    expect(arrive(from)).toBe(true);
    gate.setLimits({ ratePerSource: 0, access: denying('192.0.2.1') });
    expect(arrive(from)).toBe(false);
    gate.setLimits({ ratePerSource: 0, access: open });
    expect(arrive(from)).toBe(true);
  });

  test('a flood from one source is one record at once and one sum at the end of the interval', () => {
    const { gate, arrive, drops } = gateOf();
    for (let index = 0; index < 5_000; index++) arrive(source('192.0.2.1', 0));
    expect(drops()).toHaveLength(1);
    gate.report(10_000);
    expect(drops().slice(1)).toEqual([
      expect.objectContaining({ peer: '192.0.2.1:0', reason: 'source-port-zero', dropped: 4_999, intervalMs: 10_000 }),
    ]);
    gate.report(20_000);
    expect(drops()).toHaveLength(2);
  });

  test('a flood from any number of sources costs a bounded number of records, and every datagram is in one', () => {
    const { gate, arrive, records, drops, summaries } = gateOf({ maxSources: 256 });
    const sum = (rows: readonly { readonly [field: string]: unknown }[], field: string): number =>
      rows.reduce((total, row) => total + Number(row[field]), 0);
    for (let index = 0; index < 20_000; index++) {
      const address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
      arrive(source(address, index % 2 === 0 ? 0 : 5_000));
    }
    gate.report(10_000);
    expect(records.length).toBeLessThan(400);
    expect(sum(drops(), 'dropped')).toBe(10_000);
    expect(sum(summaries(), 'received')).toBe(10_000);
    expect(sum(summaries(), 'echoed')).toBe(10_000);
    expect(gate.counts.sources).toBeLessThanOrEqual(256);
  });

  test('a summary names an IPv6 source by what was seen of it', () => {
    const { gate, arrive, summaries } = gateOf();
    arrive(source('2001:db8:0:1::1', 5));
    arrive(source('2001:db8:0:2::1', 5));
    arrive(source('2001:db8:0:2::1', 6));
    arrive(source('2001:db8:0:3::1', 5));
    arrive(source('2001:db8:0:3::2', 5));
    gate.report(1_000);
    expect(
      summaries()
        .map(({ peer }) => peer)
        .sort(),
    ).toEqual(['2001:db8:0:2::1', '2001:db8:0:3::/64', '[2001:db8:0:1::1]:5']);
  });
});
