/** Plain lines on stdout for a person who watches. */
import { writeSync } from 'node:fs';
import { LineWriter } from '@small-servers/shared/daemon/line-writer';

const STDOUT = 1;

/** `undefined` under pm2, whose log files hold records and nothing else. Lines that stdout does not take are lost. */
export function foregroundPrinter(): ((line: string) => void) | undefined {
  if (process.env.pm_id !== undefined) return undefined;
  const writer = new LineWriter({ write: (bytes) => writeSync(STDOUT, bytes) });
  process.on('exit', () => writer.flushSync());
  return (line) => writer.write(`${line}\n`);
}
