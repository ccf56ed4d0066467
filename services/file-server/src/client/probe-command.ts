/** `file-server probe`: whether a file server answers there, what it allows, and how long a round trip takes. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { exitCodes } from '@small-servers/shared/errors';
import { decodePath } from '../protocol/path.ts';
import { parseLength, ReplyError } from '../protocol/reply-parser.ts';
import type { Connection } from './connection.ts';
import { violation } from './failures.ts';
import { askEntry } from './fetch.ts';
import { formatBytes } from './meter.ts';
import { parseTarget } from './operands.ts';
import { connector, withConnection } from './session.ts';
import { probeSettings } from './settings.ts';

const needsToken = { none: 'nothing needs a token', writes: 'changes need a token', all: 'everything needs a token' };

/** What a server says of itself. */
interface Capabilities {
  readonly protocol: number;
  readonly writable: boolean;
  readonly auth: keyof typeof needsToken;
  /** Nothing stands in our way, by a token or because there are none. */
  readonly authenticated: boolean;
  /** Left out: no limit. */
  readonly maxFileSizeBytes?: number;
}

export const probe = clientCommand({
  name: 'probe',
  describe: 'does a file server answer, what does it allow, and how fast is it',
  operands: ['HOST:PORT'],
  settings: probeSettings,
  examples: [['file-server probe 127.0.0.1:7021', 'one round trip, and what the server says of itself']],
  epilogue: 'Exit codes: 0 it answers, 1 it does not, or does not know the token, 78 bad usage.',
  parseOperands: ([target], problems) => ({ endpoint: parseTarget(target, problems) }),
  run: async ({ config, operands: { endpoint }, json, signal, print }) => {
    const connect = connector(endpoint, config, signal);
    const found = await withConnection(connect, look);
    print(json ? `${JSON.stringify(record(endpoint, found))}\n` : description(endpoint, found));
    return exitCodes.success;
  },
});

interface Found {
  readonly capabilities: Capabilities;
  readonly roundTripMs: number;
}

async function look(connection: Connection): Promise<Found> {
  const capabilities = await askCapabilities(connection);
  const startedMs = performance.now();
  // The root is looked at where that is allowed: then it is there, and can be read.
  await (mayRead(capabilities) ? askEntry(connection, decodePath('/')) : connection.ask('PING'));
  return { capabilities, roundTripMs: Math.round((performance.now() - startedMs) * 1000) / 1000 };
}

function mayRead({ auth, authenticated }: Capabilities): boolean {
  return authenticated || auth !== 'all';
}

/** CAPS. @throws Refusal, and what ends the connection */
async function askCapabilities(connection: Connection): Promise<Capabilities> {
  const { fields } = await connection.ask('CAPS');
  try {
    const auth = fields.get('auth') ?? '';
    if (!Object.hasOwn(needsToken, auth)) throw new ReplyError('CAPS that does not say what needs a token');
    const largest = fields.get('maxsize');
    return {
      protocol: parseLength(fields.get('protocol')),
      writable: isYes(fields.get('writable')),
      auth: auth as keyof typeof needsToken,
      authenticated: isYes(fields.get('authenticated')),
      ...(largest === undefined ? {} : { maxFileSizeBytes: parseLength(largest) }),
    };
  } catch (error) {
    const fault = violation(connection.target, (error as Error).message);
    connection.destroy(fault);
    throw fault;
  }
}

function isYes(text: string | undefined): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes';
  throw new ReplyError('CAPS with something else than yes or no');
}

function noteOf(endpoint: Endpoint, { capabilities }: Found): string | undefined {
  if (mayRead(capabilities)) return undefined;
  const command = `file-server probe ${formatHostPort(endpoint)} --token-file FILE`;
  return `it answers, and shows its files to nobody without a token; to see whether they can be read: ${command}`;
}

function record(endpoint: Endpoint, found: Found): object {
  const note = noteOf(endpoint, found);
  const { capabilities, roundTripMs } = found;
  return { ...capabilities, roundTripMs, ...(note === undefined ? {} : { note }) };
}

function description(endpoint: Endpoint, found: Found): string {
  const { capabilities, roundTripMs } = found;
  const { protocol, writable, auth, authenticated, maxFileSizeBytes } = capabilities;
  const limit = maxFileSizeBytes === undefined ? '' : `, files up to ${formatBytes(maxFileSizeBytes)}`;
  const token = auth !== 'none' && authenticated ? ', and the one that was shown is right' : '';
  const note = noteOf(endpoint, found);
  return [
    `${formatHostPort(endpoint)} is a file server, protocol ${protocol}\n`,
    `  allows      ${writable ? `reading and changes${limit}` : 'reading'}\n`,
    `  tokens      ${needsToken[auth]}${token}\n`,
    `  round trip  ${roundTripMs} ms\n`,
    note === undefined ? '' : `${note}\n`,
  ].join('');
}
