/** The service's own metrics. Clients have no labels of their own: LIST and the log tell them apart. */
import { counter, counterByReason, gauge, histogram, type MetricFamily } from '@small-servers/shared/daemon/metrics';
import type { ClockSummary } from './clock-track.ts';
import type { Counters, EndedTrack } from './counters.ts';
import { lineProblems } from './protocol.ts';

const PREFIX = 'small_servers_time';

export interface OpenClients {
  /** Of the clients that are connected and have sent a stamp. */
  readonly summaries: readonly ClockSummary[];
  readonly wrong: number;
  readonly watchers: number;
}

export function timeFamilies(counters: Counters, { summaries, wrong, watchers }: OpenClients): readonly MetricFamily[] {
  const total = (name: keyof EndedTrack): number =>
    summaries.reduce((sum, summary) => sum + summary[name], counters[name]);
  return [
    counter(`${PREFIX}_stamps_total`, 'Stamps that were taken', counters.stamps),
    counter(`${PREFIX}_stamps_unlogged_total`, 'Stamps without a record, beyond --stamp-records', counters.unlogged),
    counter(`${PREFIX}_late_tails_total`, 'Ends of records that came after the record was taken', counters.lateTails),
    counterByReason(`${PREFIX}_bad_lines_total`, 'Lines answered with ERR, by reason', lineProblems, counters.badLines),
    histogram(`${PREFIX}_offset_seconds`, 'How far stamps were from the clock here', counters.offsetSeconds),
    counter(`${PREFIX}_steps_total`, 'Times that a client set its clock', counters.steps),
    counter(`${PREFIX}_server_steps_total`, 'Times that the clock here was set', counters.serverSteps),
    counter(`${PREFIX}_missed_seconds_total`, 'Seconds for which a client sent no stamp', total('missedSeconds')),
    counter(`${PREFIX}_sequence_missing_total`, 'Sequence numbers that never came', total('seqMissing')),
    counter(`${PREFIX}_sequence_duplicates_total`, 'Sequence numbers that came again', total('seqDuplicates')),
    counter(`${PREFIX}_sequence_reordered_total`, 'Sequence numbers that came late', total('seqReordered')),
    gauge(`${PREFIX}_clients`, 'Connected clients that have sent a stamp', summaries.length),
    gauge(`${PREFIX}_wrong_clocks`, 'Of them, those whose clock is further off than --max-offset', wrong),
    gauge(`${PREFIX}_watchers`, 'Connections that are sent the time', watchers),
    counter(`${PREFIX}_watch_lines_total`, 'Lines of time that were sent', counters.watchLines),
    counter(
      `${PREFIX}_watch_lines_skipped_total`,
      'Lines of time that were left out because the peer takes none',
      counters.watchLinesSkipped,
    ),
  ];
}
