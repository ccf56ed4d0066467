/** What was promised of our server, beside what was measured. A missed target is a line to read, not a failure. */
import type { CaseFigures } from '../support/throughput.ts';
import { judgeLead, judgeRatio, type Verdict } from '../support/throughput-report.ts';
import { IDLE_TARGET_BYTES, type IdleReport } from './idle-memory.ts';
import { OUR_PEER, REFERENCE_PEER } from './peers.ts';

/** Peers that our server is to leave behind in every case. */
const BEATEN_PEERS = ['node-pipe', 'socat', 'xinetd'];

export function judge(cases: readonly CaseFigures[], idle: IdleReport): Verdict[] {
  return [
    ...cases.map((figures) => judgeRatio(figures, { ourPeer: OUR_PEER, referencePeer: REFERENCE_PEER })),
    ...BEATEN_PEERS.map((peer) => judgeLead(cases, OUR_PEER, peer)),
    ...idle.figures
      .filter((row) => row.peer === OUR_PEER)
      .map((row) => ({
        target: `${row.connections} idle connections: at most ${IDLE_TARGET_BYTES / 1024} KiB each`,
        measured: `${(row.settledBytes / 1024).toFixed(1)} KiB`,
        met: row.settledBytes <= IDLE_TARGET_BYTES,
      })),
  ];
}
