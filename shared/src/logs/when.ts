/** `--since` and `--until`: a time of day or year, or how long ago. */
import { parseDurationMs } from '../config/units.ts';

/** Date, or date and time to the minute or finer, with `T` or a space between; in UTC unless a zone is given. */
const DATE_TIME =
  /^(?<date>\d{4}-\d\d-\d\d)(?:[T ](?<time>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?<zone>Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Milliseconds since 1970 of `10m` (so long before `nowMs`), `now`, `2026-11-20` (its first moment) or
 * `2026-11-20T05:04:17.5Z`; `undefined` when the text is none of them.
 */
export function parseWhen(text: string, nowMs: number): number | undefined {
  if (text === 'now') return nowMs;
  const agoMs = parseDurationMs(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  const { date, time = '00:00', zone = 'Z' } = DATE_TIME.exec(text)?.groups ?? {};
  const timeMs = Date.parse(`${date}T${time}${zone}`);
  // Date.parse takes 31 February for 3 March.
  const dayMs = Date.parse(`${date}T00:00Z`);
  return Number.isNaN(timeMs) || new Date(dayMs).toISOString().slice(0, 10) !== date ? undefined : timeMs;
}
