/** The watcher's figures by name, in the style of ntpd-rs: `system` is the answer, `source` one server. */
import { counter, type MetricFamily, type Sample } from '@small-servers/shared/daemon/metrics';
import { formatEndpoint } from '@small-servers/shared/server/peer';
import type { Association } from './association.ts';
import { boundOf } from './sample.ts';
import type { Watcher } from './watcher.ts';

const PREFIX = 'small_servers_sntp';

/** A value that is not there yet is left out: it is not the value 0. */
function known(
  samples: readonly (Pick<Sample, 'labels'> & { readonly value: number | undefined })[],
): readonly Sample[] {
  return samples.flatMap(({ value, ...rest }) => (value === undefined ? [] : [{ ...rest, value }]));
}

export function metricsOf(watcher: Watcher): readonly MetricFamily[] {
  const { associations, state } = watcher;
  const selected = state.selection?.kind === 'selected' ? state.selection : undefined;
  const gauge = (name: string, help: string, value: number | undefined): MetricFamily => ({
    name: `${PREFIX}_system_${name}`,
    help,
    type: 'gauge',
    samples: known([{ value }]),
  });
  const perSource = (
    name: string,
    help: string,
    read: (association: Association) => number | undefined,
    type: 'gauge' | 'counter' = 'gauge',
  ): MetricFamily => ({
    name: `${PREFIX}_source_${name}`,
    help,
    type,
    samples: known(associations.map((association) => ({ labels: labelsOf(association), value: read(association) }))),
  });
  const best = (read: (sample: NonNullable<Association['best']>) => number) => (association: Association) =>
    association.best && read(association.best);
  const chimes = new Set(selected?.truechimers.map(({ name }) => name));

  return [
    gauge('offset_seconds', 'What must be added to the local clock', selected?.offsetSeconds),
    gauge('uncertainty_seconds', 'The offset is true to within this', selected?.boundSeconds),
    gauge('drift_ppm', 'Growth of the offset, parts per million', state.drift && state.drift.drift * 1e6),
    gauge('drift_uncertainty_ppm', 'The drift is true to within this', state.drift && state.drift.uncertainty * 1e6),
    gauge('poll_interval_seconds', 'Time between two answers', state.pollSeconds),
    gauge('truechimers', 'Servers that agree', selected?.truechimers.length ?? 0),
    counter(`${PREFIX}_system_steps_total`, 'Times the local clock was set', state.steps),
    perSource(
      'offset_seconds',
      'Offset of the best sample',
      best(({ offsetSeconds }) => offsetSeconds),
    ),
    perSource('uncertainty_seconds', 'The offset is true to within this', best(boundOf)),
    perSource(
      'delay_seconds',
      'Time under way of the best sample',
      best(({ delaySeconds }) => delaySeconds),
    ),
    perSource(
      'remote_delay_seconds',
      'Root delay of the server',
      best(({ rootDelaySeconds }) => rootDelaySeconds),
    ),
    perSource(
      'remote_uncertainty_seconds',
      'Root dispersion of the server',
      best(({ rootDispersionSeconds }) => rootDispersionSeconds),
    ),
    perSource(
      'stratum',
      'Stratum of the server',
      best(({ stratum }) => stratum),
    ),
    perSource('poll_interval_seconds', 'Time between two polls', ({ schedule }) => schedule.pollSeconds),
    perSource('unanswered_polls', 'Polls in a row that brought nothing', ({ schedule }) => schedule.failures),
    perSource('selected', '1 if the server is one of those that agree', ({ name }) => (chimes.has(name) ? 1 : 0)),
    {
      name: `${PREFIX}_source_polls_total`,
      help: 'Requests by how they ended',
      type: 'counter',
      samples: associations.flatMap(pollCounts),
    },
  ];
}

function labelsOf({ name, remote }: Association): Readonly<Record<string, string>> {
  return { name, ...(remote && { address: formatEndpoint(remote.address, remote.port) }) };
}

/** Without the address: a counter goes on when a name moves. */
function pollCounts({ name, counts }: Association): readonly Sample[] {
  return [...counts].map(([result, value]) => ({ labels: { name, result }, value }));
}
