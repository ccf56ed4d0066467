/** The client's commands run inside the test, with what they print and the code that they exit with. */
import { PassThrough, Writable } from 'node:stream';
import type { ClientContext } from '@small-servers/shared/cli/client-command';
import { resolveSettings } from '@small-servers/shared/config/layers';
import type { Settings } from '@small-servers/shared/config/settings';
import { AppError } from '@small-servers/shared/errors';
import { fetchFile, fetchFolder, fetchToStandardOutput } from '../../src/client/get.ts';
import { putFile, putFolder, putStandardInput } from '../../src/client/put.ts';
import { getSettings, putSettings } from '../../src/client/settings.ts';
import { decodePath } from '../../src/protocol/path.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  /** Everything said on stderr, the error that ended it last. */
  readonly stderr: string;
  /** What went to standard output as content. */
  readonly content: Buffer;
}

interface Options {
  readonly port: number;
  /** On the wire. */
  readonly path: string;
  readonly local?: string;
  /** `['--parallel', '4']` as `{ parallel: '4' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly json?: boolean;
  readonly signal?: AbortSignal;
  readonly input?: Iterable<Uint8Array>;
  /** The input does not end with that. */
  readonly staysOpen?: boolean;
}

async function run<S extends Settings, O>(
  settings: S,
  operands: O,
  { flags = {}, json = false, signal = new AbortController().signal, input = [], staysOpen = false }: Options,
  work: (context: ClientContext<S, O>) => Promise<number>,
): Promise<Ran> {
  const given = Object.entries(flags).map(([name, text]) => ({ name, texts: [text] }));
  const { config, problems } = resolveSettings('file-server', settings, { flags: given });
  if (problems.length > 0) throw new Error(`${problems[0]?.subject} ${problems[0]?.what}`);
  let stdout = '';
  let stderr = '';
  const content: Buffer[] = [];
  const stdin = new PassThrough();
  for (const part of input) stdin.write(part);
  if (!staysOpen) stdin.end();
  const output = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      content.push(Buffer.from(bytes));
      done();
    },
  });
  const context = {
    config,
    operands,
    json,
    signal,
    print: (text: string) => {
      stdout += text;
    },
    warn: (line: string) => {
      stderr += `${line}\n`;
    },
    terminal: undefined,
    input: stdin,
    output,
  };
  try {
    const code = await work(context as unknown as ClientContext<S, O>);
    return { code, stdout, stderr, content: Buffer.concat(content) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.exitCode, stdout, stderr: `${stderr}${error.message}\n`, content: Buffer.concat(content) };
  }
}

const at = (port: number) => ({ host: '127.0.0.1', port });

/** `get`; `local` of `-` is standard output, `flags.recursive` a folder. */
export function get(options: Options): Promise<Ran> {
  const operands = { endpoint: at(options.port), path: decodePath(options.path), local: options.local };
  return run(getSettings, operands, options, (context) => {
    if (context.config.recursive) return fetchFolder(context);
    return options.local === '-' ? fetchToStandardOutput(context) : fetchFile(context);
  });
}

export function put(options: Options): Promise<Ran> {
  const operands = { endpoint: at(options.port), path: decodePath(options.path), local: options.local ?? '-' };
  return run(putSettings, operands, options, (context) => {
    if (context.config.recursive) return putFolder(context);
    return operands.local === '-' ? putStandardInput(context) : putFile(context);
  });
}
