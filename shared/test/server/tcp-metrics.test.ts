import { expect, test } from 'vitest';
import { connectClient } from '../../../test/support/tcp.ts';
import type { MetricFamily } from '../../src/daemon/metrics.ts';
import { closeReasons, refusalReasons } from '../../src/server/reasons.ts';
import { Harness } from './harness.ts';

/** The value of a series; of a histogram, how many were observed and their sum. */
function readSeries(families: readonly MetricFamily[], name: string, reason?: string): unknown {
  const family = families.find((candidate) => candidate.name === `small_servers_tcp_${name}`);
  if (family?.type === 'histogram') {
    const { counts, sum } = family.histogram;
    return { count: counts.reduce((total, count) => total + count, 0), sum };
  }
  return family?.samples.find(({ labels }) => labels?.reason === reason)?.value;
}

test('every reason has its series from the start, with 0', async () => {
  await using harness = await Harness.start();
  const families = harness.listener.metrics();
  for (const reason of Object.keys(closeReasons))
    expect(readSeries(families, 'connections_closed_total', reason)).toBe(0);
  for (const reason of Object.keys(refusalReasons)) {
    expect(readSeries(families, 'connections_refused_total', reason)).toBe(0);
  }
});

test('bytes are counted while a connection is open, and the totals never fall when it ends', async () => {
  await using harness = await Harness.start();
  await using client = await connectClient(harness.port);
  await client.roundTrip('12345');
  const during = harness.listener.metrics();
  expect(readSeries(during, 'connections_open')).toBe(1);
  expect(readSeries(during, 'received_bytes_total')).toBe(5);
  expect(readSeries(during, 'sent_bytes_total')).toBe(5);
  expect(readSeries(during, 'connection_received_bytes')).toEqual({ count: 0, sum: 0 });

  harness.pass(2_000);
  client.socket.end();
  await harness.record('connection-closed');
  const after = harness.listener.metrics();
  expect(readSeries(after, 'connections_accepted_total')).toBe(1);
  expect(readSeries(after, 'connections_open')).toBe(0);
  expect(readSeries(after, 'connections_closed_total', 'peer-closed')).toBe(1);
  expect(readSeries(after, 'received_bytes_total')).toBe(5);
  expect(readSeries(after, 'connection_received_bytes')).toEqual({ count: 1, sum: 5 });
  expect(readSeries(after, 'connection_sent_bytes')).toEqual({ count: 1, sum: 5 });
  expect(readSeries(after, 'connection_duration_seconds')).toEqual({ count: 1, sum: 2 });
});

test('refusals are counted by reason and are no connections', async () => {
  await using harness = await Harness.start({ maxConnectionsPerSource: 1 });
  await using kept = await connectClient(harness.port);
  await kept.roundTrip('x');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await using refused = await connectClient(harness.port);
    await refused.end();
  }
  const families = harness.listener.metrics();
  expect(readSeries(families, 'connections_refused_total', 'max-connections-per-source')).toBe(3);
  expect(readSeries(families, 'connections_accepted_total')).toBe(1);
});
