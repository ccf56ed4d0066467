/** Looking at the traffic of services through their admin sockets. */
import { askAdmin } from '../daemon/admin-client.ts';
import type { MetricFamily } from '../daemon/metrics.ts';
import { readTraffic, type Traffic } from './traffic.ts';

/** `undefined` when nobody answers there. */
export async function lookAt(socketPath: string): Promise<Traffic | undefined> {
  const body = await askAdmin(socketPath, '/metrics.json');
  try {
    return body === undefined ? undefined : readTraffic(JSON.parse(body) as MetricFamily[], performance.now());
  } catch {
    // A process that is none of ours, or an older one of ours.
    return undefined;
  }
}
