/**
 * The shape of every client command: flags alone configure it, `--json` prints one object in place of
 * text, Ctrl-C ends it early with what it knows, and the exit code says how it went.
 */
import { resolveSettings } from '../config/layers.ts';
import type { Problem } from '../config/problems.ts';
import type { ConfigOf, Settings } from '../config/settings.ts';
import { exitCodes } from '../errors.ts';
import { type Command, reportProblems } from './program.ts';
import { endWithoutOutput, written } from './standard-output.ts';

export interface ClientContext<S extends Settings, O> {
  readonly config: ConfigOf<S>;
  readonly operands: O;
  readonly json: boolean;
  /** Aborted by the first Ctrl-C; the second ends the process at once. */
  readonly signal: AbortSignal;
  /** Writes to stdout. */
  print(text: string): void;
  /** Resolves when stdout has taken what was printed: for whoever prints without an end. */
  printed(): Promise<void>;
  /** Writes a line to stderr, behind the program's name. */
  warn(line: string): void;
  /** Standard input and output, for content in place of words. */
  readonly input: NodeJS.ReadStream & { readonly fd?: number };
  readonly output: NodeJS.WriteStream;
  /** Standard error when it is a terminal, for progress; left out otherwise. */
  readonly terminal: NodeJS.WriteStream | undefined;
}

export interface ClientDefinition<S extends Settings, O> {
  readonly name: string;
  readonly describe: string;
  readonly operands: readonly string[];
  readonly settings: S;
  readonly examples: Command['examples'];
  readonly epilogue?: string;
  /** The exit code when the reader of stdout leaves (`| head`). Success where printing is all there is to do. */
  readonly readerLeft?: number;
  /** Judges the operands; what it adds to `problems` is reported with all the others. */
  parseOperands(operands: readonly string[], problems: Problem[], config: ConfigOf<S>): O;
  /** Resolves to the exit code. */
  run(context: ClientContext<S, O>): Promise<number>;
}

export function clientCommand<S extends Settings, O>(definition: ClientDefinition<S, O>): Command {
  const { settings, parseOperands, run, readerLeft = exitCodes.readerLeft, ...syntax } = definition;
  return {
    ...syntax,
    settings,
    extraFlags: { json: { help: 'print one JSON object' } },
    run: async ({ program, operands: texts, flags, extra, problems: found }) => {
      const { config, problems } = resolveSettings(program, settings, { flags });
      const all = [...found, ...problems];
      const operands = parseOperands(texts, all, config);
      if (all.length > 0) return reportProblems(program, all);
      endWithoutOutput(program, readerLeft);
      const context: ClientContext<S, O> = {
        config,
        operands,
        json: extra.has('json'),
        signal: interruptSignal(),
        print: (text) => void process.stdout.write(text),
        printed: () => written(process.stdout),
        warn: (line) => void process.stderr.write(`${program}: ${line}\n`),
        input: process.stdin,
        output: process.stdout,
        terminal: process.stderr.isTTY ? process.stderr : undefined,
      };
      try {
        return await run(context);
      } finally {
        await written(process.stdout);
      }
    },
  };
}

function interruptSignal(): AbortSignal {
  const interrupted = new AbortController();
  process.on('SIGINT', () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  });
  return interrupted.signal;
}
