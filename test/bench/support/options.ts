/** The options that every bench understands. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** How often the peers take their turn, at least 1. */
  readonly rounds: number;
  /** Length of one timed run in seconds. */
  readonly seconds: number;
  /** Peers to run by name; all when empty. The peer that ratios refer to runs in any case. */
  readonly only: readonly string[];
  /** One JSON object on stdout in place of the tables. */
  readonly json: boolean;
}

export type ParsedBenchOptions =
  | { readonly names: readonly string[]; readonly options: BenchOptions; readonly help: boolean }
  | { readonly problem: string };

const DEFAULT_ROUNDS = 5;
const DEFAULT_SECONDS = 1.5;

/** Thrown by a bench for options that only it can judge, such as the name of a peer. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function usage(benchNames: readonly string[]): string {
  return `Usage: pnpm bench [NAME...] [options]

Benches: ${benchNames.join(', ')} (all when none is named)

  --rounds N        how often the peers take turns (default ${DEFAULT_ROUNDS})
  --seconds S       length of one timed run (default ${DEFAULT_SECONDS})
  --only PEER,...   run these peers only, and the one that the ratios refer to
  --json            one JSON object on stdout in place of the tables
  --help            this text
`;
}

/** Reads the command line of `pnpm bench`; never throws, the first problem is returned as a sentence. */
export function parseBenchOptions(argv: readonly string[], benchNames: readonly string[]): ParsedBenchOptions {
  let parsed: ReturnType<typeof parseCommandLine>;
  try {
    parsed = parseCommandLine(argv);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  const unknown = positionals.filter((name) => !benchNames.includes(name));
  if (unknown.length > 0) {
    return { problem: `no bench is called ${unknown.join(', ')}; there are: ${benchNames.join(', ')}` };
  }
  const rounds = Number(values.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) {
    return { problem: `--rounds: "${values.rounds}" is not a whole number from 1 to 1000` };
  }
  const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
  if (!(seconds >= 0.05 && seconds <= 3600)) {
    return { problem: `--seconds: "${values.seconds}" is not a number from 0.05 to 3600` };
  }
  const only = (values.only ?? []).flatMap((list) => list.split(',')).filter((name) => name !== '');
  return {
    names: positionals.length > 0 ? positionals : benchNames,
    options: { rounds, seconds, only, json: values.json },
    help: values.help,
  };
}

/**
 * The peers that `--only` leaves, in their own order, and always the reference.
 *
 * @throws UsageError for a name that no peer has
 */
export function choosePeers<Peer extends { readonly name: string }>(
  peers: readonly Peer[],
  { only }: BenchOptions,
  reference: string,
): Peer[] {
  const names = peers.map(({ name }) => name);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`--only: no peer is called ${unknown.join(', ')}; there are: ${names.join(', ')}`);
  }
  return peers.filter(({ name }) => only.length === 0 || only.includes(name) || name === reference);
}

function parseCommandLine(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}
