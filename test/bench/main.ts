/**
 * `pnpm bench [NAME...] [--rounds N] [--seconds S] [--only PEER,...] [--json]`: the timings of this project,
 * each beside its peers in the same run. docs/performance.md says how to read them.
 * Nothing here runs in the test suite: a timing is a figure to read, never a pass or a fail.
 */
import { type BenchOptions, parseBenchOptions, UsageError, usage } from './support/options.ts';

interface Bench {
  run(options: BenchOptions): Promise<void>;
}

/** Every bench by name. A bench prints its own table and names each peer that is missing. */
const benches: Record<string, () => Promise<Bench>> = {
  'file-server': () => import('./file-server/main.ts'),
  framing: () => import('./framing/bench.ts'),
  'log-writing': () => import('./log-writing/main.ts'),
  logs: () => import('./logs/main.ts'),
  'tcp-echo': () => import('./tcp-echo/main.ts'),
  'sntp-client': () => import('./sntp-client/main.ts'),
  'time-stream-tcp': () => import('./time-stream-tcp/main.ts'),
  'udp-echo': () => import('./udp-echo/main.ts'),
};

const parsed = parseBenchOptions(process.argv.slice(2), Object.keys(benches));
if ('problem' in parsed) {
  process.stderr.write(`bench: ${parsed.problem}\n${usage(Object.keys(benches))}`);
  process.exit(78);
}
if (parsed.help) {
  process.stdout.write(usage(Object.keys(benches)));
  process.exit(0);
}
for (const name of parsed.names) {
  if (!parsed.options.json) process.stdout.write(`\n== ${name} ==\n`);
  const bench = await benches[name]?.();
  try {
    await bench?.run(parsed.options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exit(78);
  }
}
