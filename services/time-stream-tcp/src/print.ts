/** Plain lines on stdout for a person who watches. */
import { LineWriter } from '@small-servers/shared/daemon/line-writer';

/** `undefined` under pm2, whose log files hold records and nothing else. Lines that stdout does not take are lost. */
export function foregroundPrinter(): ((line: string) => void) | undefined {
  if (process.env.pm_id !== undefined) return undefined;
  const writer = new LineWriter({ fd: 1 });
  process.on('exit', () => writer.flushSync());
  return (line) => writer.write(`${line}\n`);
}
