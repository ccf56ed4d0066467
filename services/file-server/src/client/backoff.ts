/** How long to wait before the next attempt: doubling, with jitter, so that many clients do not return at once. */
const FIRST_MS = 200;
const LONGEST_MS = 10_000;

/**
 * @param attempt 1 for the first attempt after a failure
 * @param random in [0, 1)
 * @returns milliseconds: between half of the doubled time and all of it
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random();
}
