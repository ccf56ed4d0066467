/** The stamps that `send` writes. Pure. */
import { isoMicroseconds } from './protocol.ts';
import type { Moment } from './steady-clock.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** As Python's `strftime("%Y-%m-%d %H:%M:%S")` writes it, in the local time zone: 19 bytes and nothing after them. */
export function plainStamp({ wallMs }: Moment): string {
  const date = new Date(wallMs);
  const day = [String(date.getFullYear()).padStart(4, '0'), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** ISO 8601 in UTC to the microsecond, with the sequence number and the monotonic clock, and its line end. */
export function isoStamp({ wallMs, monoMs }: Moment, seq: number): string {
  return `${isoMicroseconds(wallMs)} seq=${seq} mono=${Math.round(monoMs * 1e6)}\n`;
}
