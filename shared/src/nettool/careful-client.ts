/**
 * A careful client: one conversation over TCP, TLS or UDP, each step timed, and a failure pinned to its step. It
 * never throws for what the network does; that is in the report.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatHostPort } from '../config/endpoint.ts';
import { systemCode } from '../errors.ts';
import type { Transport } from '../system/listeners.ts';
import { plural } from './format.ts';
import { Interrupted, TooLong, unlessInterrupted, within } from './time-limit.ts';

export type StepName = 'resolve' | 'connect' | 'tls' | 'send' | 'receive' | 'close';

export interface Step {
  readonly step: StepName;
  /** `address:port` for a connection attempt. */
  readonly target?: string;
  readonly durationMs: number;
  /** What was reached, in a few words. */
  readonly detail: string;
  /** The system's name of the error; `undefined` when the step succeeded. */
  readonly error?: string;
}

export interface Conversation {
  readonly host: string;
  readonly port: number;
  readonly transport: Transport;
  readonly tls: boolean;
  /** The longest that any one wait may take: for a connection, for a handshake, for the next bytes. */
  readonly timeoutMs: number;
  /** What to send; `undefined` to connect only. Over UDP all chunks are one datagram. */
  readonly message: AsyncIterable<Uint8Array> | undefined;
  /** How many received bytes to keep; all are counted. */
  readonly keepBytes: number;
  readonly signal: AbortSignal;
}

export interface Received {
  readonly bytes: number;
  /** The first `keepBytes` of them. */
  readonly kept: Uint8Array;
}

export interface Outcome {
  readonly steps: readonly Step[];
  readonly received: Received | undefined;
  /** The step that failed for good; a refused address is none when a later address answers. */
  readonly failure: Step | undefined;
}

class StepFailed extends Error {
  readonly failed: Step;

  constructor(failed: Step) {
    super(failed.detail);
    this.failed = failed;
  }
}

/** Holds the whole conversation and reports on it. */
export async function converse(conversation: Conversation): Promise<Outcome> {
  const steps: Step[] = [];
  const receiver = new Receiver(conversation.keepBytes);
  const talk = conversation.transport === 'tcp' ? overTcp : overUdp;
  try {
    await talk(conversation, steps, receiver);
    return { steps, received: receiver.result, failure: undefined };
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return { steps, received: receiver.result, failure: error.failed };
  }
}

/** Runs one step, timed, and notes how it went. */
async function step<T>(
  steps: Step[],
  about: Pick<Step, 'step' | 'target'>,
  work: () => Promise<readonly [result: T, detail: string]>,
): Promise<T> {
  const startMs = performance.now();
  const note = (rest: Pick<Step, 'detail' | 'error'>): Step => {
    const noted = { ...about, durationMs: performance.now() - startMs, ...rest };
    steps.push(noted);
    return noted;
  };
  try {
    const [result, detail] = await work();
    note({ detail });
    return result;
  } catch (error) {
    throw new StepFailed(note({ detail: reasonOf(error), error: systemCode(error) ?? 'UNKNOWN' }));
  }
}

/** What an error says, on one line. Those of OpenSSL have the readable part of their message beside it. */
function reasonOf(error: unknown): string {
  const { message, reason } = error as { message?: unknown; reason?: unknown };
  return String(reason ?? message ?? error)
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The event, or the error that ends the wait: the emitter's own, the time limit, or Ctrl-C. */
async function waitFor(
  emitter: NodeJS.EventEmitter,
  event: string,
  { timeoutMs, signal }: Pick<Conversation, 'timeoutMs' | 'signal'>,
): Promise<void> {
  const over = new AbortController();
  const happened = once(emitter, event, { signal: over.signal });
  try {
    await within(happened, timeoutMs, signal);
  } finally {
    // Takes the listeners off the emitter when the wait ended another way.
    happened.catch(() => {});
    over.abort();
  }
}

async function resolveHost({ host, timeoutMs, signal }: Conversation, steps: Step[]): Promise<readonly string[]> {
  return step(steps, { step: 'resolve' }, async () => {
    // With its zone an address is known to isIP too; there is nothing to look up then.
    if (isIP(host) !== 0) return [[host], 'an address already'];
    const found = await within(lookup(host, { all: true, order: 'verbatim' }), timeoutMs, signal);
    const addresses = [...new Set(found.map(({ address }) => address))];
    return [addresses, addresses.join(', ')];
  });
}

/** Errors that say more of this machine than of the far end: another attempt's error is the better one to report. */
const OWN_FAULTS: readonly (string | undefined)[] = ['ENETUNREACH', 'EAFNOSUPPORT', 'EADDRNOTAVAIL'];

/** Tries each address in turn until one works, as a program should that follows getaddrinfo's order. */
async function firstThatWorks<T>(
  conversation: Conversation,
  steps: Step[],
  attempt: (address: string, target: string) => Promise<T>,
): Promise<T> {
  const failures: StepFailed[] = [];
  for (const address of await resolveHost(conversation, steps)) {
    try {
      return await attempt(address, formatHostPort({ host: address, port: conversation.port }));
    } catch (error) {
      if (!(error instanceof StepFailed) || conversation.signal.aborted) throw error;
      failures.push(error);
    }
  }
  const telling = failures.find(({ failed }) => !OWN_FAULTS.includes(failed.error)) ?? failures[0];
  throw telling ?? new Error('a name without addresses was taken for resolved');
}

async function overTcp(conversation: Conversation, steps: Step[], receiver: Receiver): Promise<void> {
  const plain = await firstThatWorks(conversation, steps, (address, target) =>
    step(steps, { step: 'connect', target }, () => connectTo(address, conversation)),
  );
  let socket: Socket = plain;
  try {
    if (conversation.tls) socket = await step(steps, { step: 'tls' }, () => secure(plain, conversation));
    if (conversation.message !== undefined) await exchange(socket, conversation, steps, receiver);
    await step(steps, { step: 'close' }, () => close(socket, conversation));
  } finally {
    socket.destroy();
    plain.destroy();
  }
}

async function connectTo(
  address: string,
  conversation: Conversation,
): Promise<readonly [result: Socket, detail: string]> {
  const socket = connect({ host: address, port: conversation.port, allowHalfOpen: true, noDelay: true });
  try {
    await waitFor(socket, 'connect', conversation);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  // From here on an error is looked at where it matters, and must never be without a listener.
  socket.on('error', () => {});
  const { localAddress = '', localPort = 0 } = socket;
  return [socket, `from ${formatHostPort({ host: localAddress, port: localPort })}`];
}

async function secure(
  plain: Socket,
  conversation: Conversation,
): Promise<readonly [result: TLSSocket, detail: string]> {
  const { host } = conversation;
  // An address has no place in the server name extension (RFC 6066 section 3); the certificate is checked all the same.
  const socket = connectTls({ socket: plain, host, ...(isIP(host) === 0 ? { servername: host } : {}) });
  try {
    await waitFor(socket, 'secureConnect', conversation);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.on('error', () => {});
  const { subject, issuer, valid_to: validTo } = socket.getPeerCertificate();
  const { name: cipher } = socket.getCipher();
  const names = `certificate of ${subject?.CN ?? host} by ${issuer?.CN ?? 'unknown'} until ${validTo}`;
  return [socket, `${socket.getProtocol()} ${cipher}, ${names}`];
}

/**
 * Sends everything, then ends this direction, so that the far end knows there is no more; meanwhile and afterwards
 * takes what comes until the far end closes. Reading goes on while sending: an echo of more than the buffers hold
 * would bring both sides to a stand-still otherwise.
 */
async function exchange(socket: Socket, conversation: Conversation, steps: Step[], receiver: Receiver): Promise<void> {
  const startMs = performance.now();
  const arriving = receiver.readFrom(socket, conversation.signal);
  // What is to be sent may come from a person at a terminal: a reset is to be told before the next line is typed.
  const broken = new Promise<never>((_resolve, reject) => void arriving.catch(reject));
  broken.catch(() => {});
  await step(steps, { step: 'send' }, async () => {
    // Nothing else hears of Ctrl-C when the far end has closed its direction and the input is silent.
    const sending = Promise.race([sendAll(socket, conversation), broken]);
    const bytes = await unlessInterrupted(sending, conversation.signal);
    return [undefined, `${plural(bytes, 'byte')}, then the end of sending`];
  });
  await step(steps, { step: 'receive' }, async () => {
    socket.setTimeout(conversation.timeoutMs);
    const { firstByteMs } = await arriving;
    const first = firstByteMs === undefined ? '' : `, the first after ${(firstByteMs - startMs).toFixed(2)} ms`;
    return [undefined, `${plural(receiver.bytes, 'byte')}${first}; the far end closed`];
  });
  socket.setTimeout(0);
}

async function sendAll(socket: Socket, conversation: Conversation): Promise<number> {
  let bytes = 0;
  // A socket tells of its error once; whoever writes afterwards hears of it here.
  const assertAlive = (): void => {
    if (socket.errored) throw socket.errored;
    if (socket.destroyed) throw Object.assign(new Error('the connection is closed'), { code: 'EPIPE' });
  };
  for await (const chunk of conversation.message ?? []) {
    assertAlive();
    bytes += chunk.length;
    if (!socket.write(chunk)) await waitFor(socket, 'drain', conversation);
  }
  assertAlive();
  const finished = waitFor(socket, 'finish', conversation);
  socket.end();
  await finished;
  return bytes;
}

async function close(
  socket: Socket,
  conversation: Conversation,
): Promise<readonly [result: undefined, detail: string]> {
  if (!socket.closed) {
    const closed = waitFor(socket, 'close', conversation);
    socket.destroySoon();
    await closed;
  }
  return [undefined, ''];
}

async function overUdp(conversation: Conversation, steps: Step[], receiver: Receiver): Promise<void> {
  // Read once, whatever the number of addresses; how that ends is told where it is sent.
  const input = Array.fromAsync(conversation.message ?? []);
  input.catch(() => {});
  await firstThatWorks(conversation, steps, async (address, target) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    try {
      await step(steps, { step: 'connect', target }, async () => {
        socket.connect(conversation.port, address);
        await waitFor(socket, 'connect', conversation);
        const { address: host, port } = socket.address();
        return [undefined, `from ${formatHostPort({ host, port })}; UDP sends nothing for this`];
      });
      await exchangeDatagrams(socket, input, conversation, steps, receiver);
    } finally {
      socket.close();
    }
  });
}

async function exchangeDatagrams(
  socket: UdpSocket,
  input: Promise<readonly Uint8Array[]>,
  conversation: Conversation,
  steps: Step[],
  receiver: Receiver,
): Promise<void> {
  socket.once('message', (reply) => receiver.take(reply));
  let reply: Promise<void> | undefined;
  await step(steps, { step: 'send' }, async () => {
    const datagram = Buffer.concat(await unlessInterrupted(input, conversation.signal));
    reply = waitFor(socket, 'message', conversation);
    reply.catch(() => {});
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    socket.send(datagram, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    return [undefined, `a datagram of ${plural(await promise, 'byte')}`];
  });
  await step(steps, { step: 'receive' }, async () => {
    await reply;
    return [undefined, `a datagram of ${plural(receiver.bytes, 'byte')}`];
  });
}

/** Counts what comes in and keeps the beginning, however much it is. */
class Receiver {
  bytes = 0;
  readonly #kept: Uint8Array[] = [];
  #room: number;
  #started = false;

  constructor(keepBytes: number) {
    this.#room = keepBytes;
  }

  get result(): Received | undefined {
    return this.#started ? { bytes: this.bytes, kept: Buffer.concat(this.#kept) } : undefined;
  }

  take(chunk: Uint8Array): void {
    this.#started = true;
    this.bytes += chunk.length;
    const part = chunk.subarray(0, this.#room);
    this.#room -= part.length;
    if (part.length > 0) this.#kept.push(part);
  }

  /** Reads until the far end closes; fails on an error, on Ctrl-C and when the socket's idle time is over. */
  async readFrom(socket: Socket, signal: AbortSignal): Promise<{ readonly firstByteMs: number | undefined }> {
    this.#started = true;
    let firstByteMs: number | undefined;
    socket.on('data', (chunk: Uint8Array) => {
      firstByteMs ??= performance.now();
      this.take(chunk);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('timeout', () => reject(new TooLong('nothing came for', socket.timeout ?? 0)));
    socket.once('error', reject);
    socket.once('end', resolve);
    socket.once('close', resolve);
    signal.addEventListener('abort', () => reject(new Interrupted()));
    await promise;
    return { firstByteMs };
  }
}
