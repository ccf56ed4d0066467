/** Times and intervals as people read them. */

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** As ctime(3) and Python's time.ctime() write it, in the local time zone: `Sun Jun  1 09:05:00 2025`. */
export function ctime(unixNs: bigint): string {
  const date = new Date(Number(unixNs / 1_000_000n));
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const day = String(date.getDate()).padStart(2);
  return `${days[date.getDay()]} ${months[date.getMonth()]} ${day} ${clock} ${date.getFullYear()}`;
}

/** ISO 8601 in UTC with nanoseconds. */
export function isoTime(unixNs: bigint): string {
  return Temporal.Instant.fromEpochNanoseconds(unixNs).toString({ smallestUnit: 'nanosecond' });
}

const units = [
  ['s', 1],
  ['ms', 1e-3],
  ['us', 1e-6],
] as const;

/** Seconds with the unit that suits them and three decimals: `1.204 s`, `18.031 ms`, `0.870 us`. */
export function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  const [unit, factor] = units.find(([, one]) => size >= one) ?? ['us', 1e-6];
  return `${(seconds / factor).toFixed(3)} ${unit}`;
}

/** The same with its sign. */
export function formatOffset(seconds: number): string {
  return `${seconds < 0 ? '' : '+'}${formatSeconds(seconds)}`;
}
