/**
 * Durations, sizes and counts as people write them. A bare number is refused where a unit is needed:
 * `30` could be seconds to one reader and milliseconds to the next.
 */

/** Microseconds in each unit of a duration, smallest first. */
const durationUnits = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
} as const;

/** Bytes in each unit of a size, smallest first. `KB` and the like are left out: two readings exist. */
const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

function parseWithUnit(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text);
  const factor = match?.[2] === undefined || !Object.hasOwn(units, match[2]) ? undefined : units[match[2]];
  return match?.[1] === undefined || factor === undefined ? undefined : Number(match[1]) * factor;
}

function formatWithUnit(value: number, units: Record<string, number>): string {
  const ascending = Object.entries(units);
  const fitting = ascending.findLast(([, factor]) => value >= factor && value % factor === 0) ?? ascending[0];
  return fitting === undefined ? String(value) : `${value / fitting[1]}${fitting[0]}`;
}

/** `250ms`, `1.5s`, `5m`, `1h`, `2d`, `800us` to milliseconds, to the microsecond; `undefined` when it is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const us = parseWithUnit(text, durationUnits);
  return us === undefined ? undefined : Math.round(us) / 1_000;
}

/** Milliseconds to the largest unit that holds them exactly: 90000 is `90s`, 3600000 is `1h`. */
export function formatDurationMs(ms: number): string {
  return ms === 0 ? '0ms' : formatWithUnit(Math.round(ms * 1_000), durationUnits);
}

/** `64KiB`, `1.5GiB`, `100B` to whole bytes; `undefined` when it is not a size. */
export function parseSizeBytes(text: string): number | undefined {
  const bytes = parseWithUnit(text, sizeUnits);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes to the largest unit that holds them exactly: 65536 is `64KiB`. */
export function formatSizeBytes(bytes: number): string {
  return formatWithUnit(bytes, sizeUnits);
}

/** Digits to a whole number up to 2^53 - 1; signs, exponents and leading zeros are refused. */
export function parseCount(text: string): number | undefined {
  const value = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
