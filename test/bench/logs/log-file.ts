/** A log as a busy echo server writes it, the same on every run. */
import { closeSync, openSync, writeSync } from 'node:fs';

const REASONS = ['peer-closed', 'peer-closed', 'idle', 'reset'] as const;
const LINES_AT_ONCE = 5000;

/** Numbers from 0 up to 1, always the same ones (a linear congruential generator, Numerical Recipes' constants). */
function createRandom(): () => number {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Writes at least `bytes` bytes of `connection-closed` records and gives their number. */
export function writeLog(path: string, bytes: number): number {
  const random = createRandom();
  const whole = (limit: number): number => Math.floor(random() * limit);
  const fd = openSync(path, 'w');
  let timeMs = Date.parse('2026-11-01T00:00:00Z');
  let lines = 0;
  for (let written = 0; written < bytes; ) {
    let text = '';
    for (let index = 0; index < LINES_AT_ONCE; index += 1) {
      timeMs += whole(10);
      lines += 1;
      const peer = `10.${whole(7)}.${whole(256)}.${whole(256)}:${1024 + whole(60_000)}`;
      const transferred = whole(100_000);
      const reason = REASONS[whole(REASONS.length)];
      text += `${JSON.stringify({
        level: 'info',
        time: new Date(timeMs).toISOString(),
        service: 'echo-tcp',
        pid: 4242,
        event: 'connection-closed',
        conn: lines.toString(36),
        peer,
        bytesIn: transferred,
        bytesOut: transferred,
        durationMs: whole(5000),
        reason,
        msg: `${peer} closed after ${transferred} bytes in, ${transferred} bytes out: ${reason}`,
      })}\n`;
    }
    written += writeSync(fd, text);
  }
  closeSync(fd);
  return lines;
}
