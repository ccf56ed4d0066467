/** What is true of each service now: the supervisor's word, the service's own, and a real exchange. */
import { askReadiness, type Readiness } from '../daemon/admin-client.ts';
import { processSocketPath } from '../daemon/admin-socket.ts';
import { adminSocketPath, makeRoundTrip } from './round-trip.ts';
import type { SupervisedProcess } from './supervisor.ts';
import type { FleetService, Workspace } from './workspace.ts';

export interface ServiceState {
  readonly service: FleetService;
  /** `undefined`: pm2 does not know it. */
  readonly process: SupervisedProcess | undefined;
  readonly readiness: Readiness | undefined;
  /** Milliseconds of one real exchange. */
  readonly roundTripMs: number | undefined;
  /** What there is to know of that exchange. */
  readonly note?: string | undefined;
  /** Why it does not serve, in a few words; `undefined` when it does. */
  readonly trouble: string | undefined;
}

/** Looks at one service; never throws. */
export async function inspect(
  workspace: Workspace,
  service: FleetService,
  processes: readonly SupervisedProcess[],
): Promise<ServiceState> {
  const process = processes.find(({ name }) => name === service.name);
  const nothing = { service, process, readiness: undefined, roundTripMs: undefined };
  if (process === undefined) return { ...nothing, trouble: 'not started' };
  if (process.status !== 'online') return { ...nothing, trouble: process.status };

  const readiness = await askReadiness(processSocketPath(adminSocketPath(workspace, service.name), process.pid));
  if (readiness === undefined) return { ...nothing, trouble: 'does not answer on its admin socket' };
  const [listener] = readiness.listeners;
  // Nothing to connect to: that it answers here is the proof, and its own last exchange the round trip.
  if (listener === undefined)
    return { ...nothing, readiness, roundTripMs: readiness.lastExchangeMs, trouble: undefined };
  try {
    const { roundTripMs, note } = await makeRoundTrip(service, listener);
    return { service, process, readiness, roundTripMs, note, trouble: undefined };
  } catch (error) {
    return { ...nothing, readiness, trouble: (error as Error).message };
  }
}
