/**
 * How long a server may be silent. While it hashes a file for SUM, or brings an upload to its disk, the protocol gives
 * it nothing to say, so what it has to get through buys it time: as much as the slowest machine that is still of use
 * would need. A machine that is gone is found by TCP keep-alive, whatever the size of the file.
 */

/** A card in a small computer reads and writes so much; a disk ten times as much, a processor hashes a hundred times. */
const SLOWEST_BYTES_PER_MS = 10_000;

/** The size of a file is what the server says it is: whatever it says, nobody waits for ever. */
const LONGEST_WORK_MS = 24 * 3_600_000;

/**
 * @param timeoutMs the user's own limit; 0 for none
 * @param workBytes what the server reads or brings to its disk before it answers
 * @returns milliseconds in which nothing need move; Infinity for no limit
 */
export function patienceMs(timeoutMs: number, workBytes: number): number {
  if (timeoutMs === 0) return Number.POSITIVE_INFINITY;
  return timeoutMs + Math.min(LONGEST_WORK_MS, workBytes / SLOWEST_BYTES_PER_MS);
}
