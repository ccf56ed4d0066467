/**
 * A burst: requests to one server over one socket, one after the other, each waiting for the reply that
 * passes every check. What does not pass is noted and left aside until the deadline.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { monoSeconds, stepSeconds } from '@small-servers/shared/clock/clock';
import { systemCode } from '@small-servers/shared/errors';
import {
  judge,
  type KissCode,
  type NtsProblem,
  type Policy,
  type RejectionReason,
  rejectionReasons,
} from './acceptance.ts';
import type { Arrival, Channel, OpenChannel, Remote, Sent } from './channel.ts';
import { type Packet, parsePacket } from './packet.ts';
import type { Sample } from './sample.ts';
import type { NtpTimestamp } from './timestamp.ts';

/** One request, and how its reply is proven. */
export interface Request {
  readonly bytes: Uint8Array;
  /** Its transmit time stamp, which the reply repeats. */
  readonly origin: NtpTimestamp;
  /** NTS: proves a reply and keeps the cookies in it. */
  readonly checkNts?: (bytes: Uint8Array, packet: Packet) => NtsProblem | undefined;
}

/** How one request ended. */
export type ExchangeOutcome =
  | { readonly kind: 'sample'; readonly sample: Sample }
  | { readonly kind: 'kiss'; readonly code: KissCode; readonly authenticated: boolean }
  /** Something came, and the best of it failed this check. */
  | { readonly kind: 'rejected'; readonly reason: RejectionReason }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'refused' }
  /** The system could not send: `ENETUNREACH`, `EHOSTUNREACH` and the like. */
  | { readonly kind: 'unreachable'; readonly code: string };

export interface BurstOptions {
  readonly open: OpenChannel;
  readonly remote: Remote;
  readonly count: number;
  /** From one request to the next. */
  readonly intervalMs: number;
  /** To wait for a reply. */
  readonly timeoutMs: number;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  /** `undefined` when there is nothing to ask with (no cookies left). */
  nextRequest(): Request | undefined;
  /** `ignored`: why datagrams that came meanwhile were left aside. */
  onOutcome(outcome: ExchangeOutcome, ignored: readonly RejectionReason[]): void;
}

/** A server that leaves this many requests in a row unanswered is not asked the rest of the burst. */
const MAX_SILENCES = 2;

/** Datagrams looked at for one request: whoever sends more than this is no time server. */
const MAX_ARRIVALS = 1_000;

/** How often each reason comes in the table: the later, the nearer a datagram was to being accepted. */
const order = Object.keys(rejectionReasons);

/** Runs a burst to its end; never rejects but for a signal that was aborted before. */
export async function runBurst(options: BurstOptions): Promise<void> {
  const { open, remote, count, intervalMs, signal, nextRequest, onOutcome } = options;
  let channel: Channel;
  try {
    channel = await open(remote);
  } catch (error) {
    onOutcome(failure(error), []);
    return;
  }
  const waiting = new Waiting(channel, options);
  try {
    let silences = 0;
    for (let sent = 0; sent < count && !signal.aborted; sent++) {
      const request = nextRequest();
      if (request === undefined) return;
      const startMs = performance.now();
      const { outcome, ignored } = await waiting.ask(request);
      if (signal.aborted) return;
      onOutcome(outcome, ignored);
      silences = outcome.kind === 'sample' ? 0 : silences + 1;
      const over = outcome.kind === 'kiss' || outcome.kind === 'refused' || outcome.kind === 'unreachable';
      if (over || silences === MAX_SILENCES || sent === count - 1) return;
      await pause(intervalMs - (performance.now() - startMs), signal);
    }
  } finally {
    channel.close();
  }
}

function failure(error: unknown): ExchangeOutcome {
  const code = systemCode(error) ?? 'unknown';
  return code === 'ECONNREFUSED' ? { kind: 'refused' } : { kind: 'unreachable', code };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {});
}

interface Answer {
  readonly outcome: ExchangeOutcome;
  readonly ignored: readonly RejectionReason[];
}

interface Pending {
  readonly request: Request;
  readonly sent: Sent;
  readonly ignored: RejectionReason[];
  settle(outcome: ExchangeOutcome): void;
}

/** The one request that waits for its reply, and those that had theirs. */
class Waiting {
  readonly #channel: Channel;
  readonly #options: BurstOptions;
  readonly #answered = new Set<NtpTimestamp>();
  #pending: Pending | undefined;

  constructor(channel: Channel, options: BurstOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.onArrival((arrival) => this.#look(arrival));
    channel.onError((error) => this.#pending?.settle(failure(error)));
  }

  async ask(request: Request): Promise<Answer> {
    const { timeoutMs, signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<ExchangeOutcome>();
    const ignored: RejectionReason[] = [];
    const giveUp = (): void => resolve(silence(ignored));
    let sent: Sent;
    try {
      sent = this.#channel.send(request.bytes);
    } catch (error) {
      return { outcome: failure(error), ignored };
    }
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    this.#pending = { request, sent, ignored, settle: resolve };
    const outcome = await promise;
    this.#pending = undefined;
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    return { outcome, ignored };
  }

  #look({ bytes, fromAskedServer, stamp }: Arrival): void {
    const pending = this.#pending;
    if (pending === undefined || pending.ignored.length >= MAX_ARRIVALS) return;
    const { request, sent, ignored, settle } = pending;
    const parsed = parsePacket(bytes);
    const packet = parsed.ok ? parsed.packet : parsed.problem;
    const answeredBefore = parsed.ok && this.#answered.has(parsed.packet.origin);
    const { checkNts } = request;
    const verdict = judge(
      {
        packet,
        fromAskedServer,
        origin: answeredBefore && parsed.ok ? parsed.packet.origin : request.origin,
        answeredBefore,
        checkNts: checkNts && ((read) => checkNts(bytes, read)),
        sentUnixNs: sent.stamp.wallNs,
        receivedUnixNs: stamp.wallNs,
        clockStepSeconds: stepSeconds(sent.stamp, stamp),
        sendSeconds: sent.sendSeconds,
        atSeconds: monoSeconds(stamp),
      },
      this.#options.policy,
    );
    if (verdict.kind === 'rejected') {
      ignored.push(verdict.reason);
      return;
    }
    this.#answered.add(request.origin);
    this.#pending = undefined;
    settle(verdict.kind === 'accepted' ? { kind: 'sample', sample: verdict.sample } : verdict);
  }
}

/** At the deadline: what came furthest says most about the server; nothing at all is a time-out. */
function silence(ignored: readonly RejectionReason[]): ExchangeOutcome {
  const reason = ignored.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)).at(-1);
  return reason === undefined ? { kind: 'timed-out' } : { kind: 'rejected', reason };
}
