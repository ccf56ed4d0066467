/** Which of a process's last lines its log does not have: it may have ended in the middle of writing them. */

const LF = 0x0a;

/**
 * @param lines whole lines that were being written, one after the other
 * @param tail the end of the log, as long as `lines` at least and somewhat more
 * @returns what is to be added to the log for it to have each line, and no line twice
 */
export function missingLines(lines: Buffer, tail: Buffer): Buffer {
  const at = whereBegun(lines, tail);
  const written = at < 0 ? 0 : commonLength(lines, tail.subarray(at));
  // What stands last is gone on with, even inside of a line; anything else begins a line of its own.
  if (at >= 0 && at + written === tail.length) return lines.subarray(written);
  const missing = lines.subarray(lines.subarray(0, written).lastIndexOf(LF) + 1);
  const isTorn = missing.length > 0 && tail.length > 0 && tail.at(-1) !== LF;
  return isTorn ? Buffer.concat([Buffer.from([LF]), missing]) : missing;
}

/** Where the first of the lines stands, or its beginning at the very end; -1 when nothing of it does. */
function whereBegun(lines: Buffer, tail: Buffer): number {
  const first = lines.subarray(0, lines.indexOf(LF) + 1);
  const whole = tail.lastIndexOf(first);
  if (whole >= 0) return whole;
  const last = tail.subarray(tail.lastIndexOf(LF) + 1);
  return last.length > 0 && first.subarray(0, last.length).equals(last) ? tail.length - last.length : -1;
}

function commonLength(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  let same = 0;
  while (same < length && a[same] === b[same]) same += 1;
  return same;
}
