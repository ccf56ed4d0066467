/**
 * NTP timestamps (RFC 5905 section 6): 64-bit fixed point, 32 bits of seconds since 1900 and 32 bits of
 * fraction, wrapping around every 136 years (an era). Kept as BigInt: a double's step is 477 ns at such
 * seconds, which is more than what is measured here.
 *
 * A timestamp alone does not say its era. Differences need none, as long as the two lie within 68 years
 * of each other; only for display is an era chosen, the one nearest to a pivot.
 */

/** 0 to 2^64 - 1, in units of 2^-32 s. */
export type NtpTimestamp = bigint;

/** Seconds from 1900-01-01 to 1970-01-01: 70 years, 17 of them leap years. */
const UNIX_EPOCH_SECONDS = 2_208_988_800n;
const NS_PER_SECOND = 1_000_000_000n;
const FRACTION_BITS = 32n;
const UNITS_PER_SECOND = 2 ** 32;

/** Length of an era in seconds. */
export const ERA_SECONDS = 2 ** 32;

/** Rounds to nearest, also below zero, where BigInt's own division rounds towards zero. */
function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const doubled = 2n * dividend + divisor;
  const quotient = doubled / (2n * divisor);
  return doubled < 0n && doubled % (2n * divisor) !== 0n ? quotient - 1n : quotient;
}

/** Units of 2^-32 s since 1900 without any wrap: the era stands above bit 64. */
function unwrapped(unixNs: bigint): bigint {
  return divideRounded((unixNs + UNIX_EPOCH_SECONDS * NS_PER_SECOND) << FRACTION_BITS, NS_PER_SECOND);
}

/** Nanoseconds since 1970 as a timestamp, to the nearest 2^-32 s; its era is lost. */
export function fromUnixNs(unixNs: bigint): NtpTimestamp {
  return BigInt.asUintN(64, unwrapped(unixNs));
}

/** Nanoseconds since 1970 in the era that puts the timestamp nearest to the pivot (nanoseconds since 1970). */
export function toUnixNs(timestamp: NtpTimestamp, pivotUnixNs: bigint): bigint {
  const pivot = unwrapped(pivotUnixNs);
  const absolute = pivot + BigInt.asIntN(64, timestamp - pivot);
  return divideRounded(absolute * NS_PER_SECOND, 1n << FRACTION_BITS) - UNIX_EPOCH_SECONDS * NS_PER_SECOND;
}

/** `a - b` in units of 2^-32 s, from -2^63 to 2^63 - 1: right whenever the two are within 68 years. */
export function difference(a: NtpTimestamp, b: NtpTimestamp): bigint {
  return BigInt.asIntN(64, a - b);
}

/** A difference in seconds. Exact up to 2^21 s (24 days), rounded to a double's precision above. */
export function unitsToSeconds(units: bigint): number {
  return Number(units) / UNITS_PER_SECOND;
}

/** The time that is used to choose an era when the clock itself may be decades off: this code was written after it. */
export const WRITTEN_UNIX_NS = 1_767_225_600n * NS_PER_SECOND; // 2026-01-01T00:00:00Z

/** A machine without a battery starts in 1970; the code that runs on it was written later than that. */
export function displayPivot(localUnixNs: bigint): bigint {
  return localUnixNs > WRITTEN_UNIX_NS ? localUnixNs : WRITTEN_UNIX_NS;
}
