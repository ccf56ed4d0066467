/** What the flags of `pnpm logs` ask of a line. */
import type { ConfigOf } from '../config/settings.ts';
import type { LineQuery } from './filter.ts';
import { parsePeerQuery } from './peer-query.ts';
import type { Selection } from './selection.ts';
import type { showSettings } from './settings.ts';

/** Data alone, so that it can be given to another thread. */
export interface Question {
  readonly config: Pick<ConfigOf<typeof showSettings>, 'level' | 'event' | 'conn' | 'peer' | 'grep'>;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

export function questionOf(
  { level, event, conn, peer, grep }: ConfigOf<typeof showSettings>,
  { sinceMs, untilMs }: Selection,
): Question {
  return { config: { level, event, conn, peer, grep }, sinceMs, untilMs };
}

export function queryOf({ config, sinceMs, untilMs }: Question): LineQuery {
  const peer = config.peer === undefined ? undefined : parsePeerQuery(config.peer);
  return {
    level: config.level,
    events: config.event,
    conn: config.conn,
    peer: peer?.matches,
    peerText: peer?.contained,
    grep: config.grep === undefined ? undefined : new RegExp(config.grep),
    sinceMs,
    untilMs,
  };
}
