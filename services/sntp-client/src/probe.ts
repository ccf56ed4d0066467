/**
 * One server, asked now and again: its addresses in turn, its keys and cookies where NTS is wanted, a
 * burst of requests. With NTS nothing is ever asked without it.
 */
import { randomBytes } from 'node:crypto';
import { systemCode } from '@small-servers/shared/errors';
import { parseAddress } from '@small-servers/shared/inet/address';
import type { Policy, RejectionReason } from './acceptance.ts';
import type { OpenChannel, Remote } from './channel.ts';
import { type ExchangeOutcome, type Request, runBurst } from './exchange.ts';
import type { ExchangeKeys } from './nts/key-exchange.ts';
import type { KeyExchangeProblem } from './nts/records.ts';
import { NtsSession, type RandomBytes } from './nts/session.ts';
import { encodeRequest } from './packet.ts';
import type { Resolve } from './resolve.ts';
import { defaultPorts, type ServerName } from './server-name.ts';

export type Outcome =
  | ExchangeOutcome
  /** The name has no address now; `code` is the resolver's. */
  | { readonly kind: 'unresolved'; readonly code: string }
  | { readonly kind: 'key-exchange-failed'; readonly problem: KeyExchangeProblem; readonly detail: string };

/** What a probe reports, once for each request and for each attempt that came to none. */
export interface ProbeEvent {
  readonly outcome: Outcome;
  /** Whom it was asked of; `undefined` while that is not known. */
  readonly remote: Remote | undefined;
  /** Why datagrams that came meanwhile were left aside. */
  readonly ignored: readonly RejectionReason[];
}

export interface ProbeEnvironment {
  readonly open: OpenChannel;
  readonly resolve: Resolve;
  readonly exchangeKeys: ExchangeKeys;
  readonly random?: RandomBytes;
}

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly burstIntervalMs: number;
  readonly policy: Policy;
  /** Certificates to trust, PEM; the system's own when left out. */
  readonly ca?: readonly string[] | undefined;
}

export interface ProbeRun {
  /** Requests to one address. */
  readonly samples: number;
  /** Addresses to try until one answers. */
  readonly attempts: number;
  readonly signal: AbortSignal;
  onEvent(event: ProbeEvent): void;
}

/** What the watcher polls: the real one below, or a simulated one. */
export interface Prober {
  run(options: ProbeRun): Promise<void>;
}

export class ServerProbe implements Prober {
  readonly #server: ServerName;
  readonly #environment: ProbeEnvironment;
  readonly #options: ProbeOptions;
  readonly #random: RandomBytes;
  /** Addresses not tried yet since the name was looked up; the first one is the one in use. */
  #addresses: readonly string[] = [];
  #session: { readonly nts: NtsSession; readonly remote: Remote } | undefined;

  constructor(server: ServerName, environment: ProbeEnvironment, options: ProbeOptions) {
    this.#server = server;
    this.#environment = environment;
    this.#options = options;
    this.#random = environment.random ?? randomBytes;
  }

  /** Asks until an address answers, the attempts are used up or the signal is aborted. Never rejects. */
  async run({ samples, attempts, signal, onEvent }: ProbeRun): Promise<void> {
    for (let attempt = 0; attempt < attempts && !signal.aborted; attempt++) {
      if (attempt > 0 && this.#addresses.length === 0) return;
      const answered = await this.#attempt(samples, signal, onEvent);
      if (answered) return;
      // The next address gets the next attempt; after the last one the name is looked up again.
      this.#rotate();
    }
  }

  #rotate(): void {
    this.#addresses = this.#addresses.slice(1);
    // Cookies are left: a server that is silent for a moment is no reason for a new key exchange.
    if (this.#addresses.length > 0) this.#session = undefined;
  }

  async #attempt(samples: number, signal: AbortSignal, onEvent: ProbeRun['onEvent']): Promise<boolean> {
    const source = await this.#source(signal);
    if (source === undefined) return false;
    if ('kind' in source) {
      onEvent({ outcome: source, remote: undefined, ignored: [] });
      return false;
    }
    let answered = false;
    await runBurst({
      open: this.#environment.open,
      remote: source.remote,
      count: samples,
      intervalMs: this.#options.burstIntervalMs,
      timeoutMs: this.#options.timeoutMs,
      policy: this.#options.policy,
      signal,
      nextRequest: source.nextRequest,
      onOutcome: (outcome, ignored) => {
        answered ||= outcome.kind === 'sample' || outcome.kind === 'kiss' || outcome.kind === 'rejected';
        onEvent({ outcome, remote: source.remote, ignored });
      },
    });
    return answered;
  }

  async #source(signal: AbortSignal): Promise<Outcome | Source | undefined> {
    const { scheme, host, port } = this.#server;
    if (scheme === 'nts' && this.#session !== undefined && this.#session.nts.cookies > 0) return this.#ntsSource();
    if (this.#addresses.length === 0) {
      try {
        this.#addresses = await this.#lookUp(host);
      } catch (error) {
        return { kind: 'unresolved', code: systemCode(error) ?? 'unknown' };
      }
    }
    const [address] = this.#addresses;
    if (address === undefined || signal.aborted) return undefined;
    if (scheme === 'ntp') return { remote: { address, port }, nextRequest: () => this.#plainRequest() };
    return this.#newSession(address, signal);
  }

  async #lookUp(host: string): Promise<readonly string[]> {
    return parseAddress(host).ok ? [host] : this.#environment.resolve(host);
  }

  #plainRequest(): Request {
    const origin = this.#random(8).readBigUInt64BE();
    return { bytes: encodeRequest(origin), origin };
  }

  #ntsSource(): Source | undefined {
    const session = this.#session;
    return session && { remote: session.remote, nextRequest: () => session.nts.nextRequest() };
  }

  async #newSession(address: string, signal: AbortSignal): Promise<Outcome | Source | undefined> {
    const { host, port } = this.#server;
    const { ca, timeoutMs } = this.#options;
    const result = await this.#environment.exchangeKeys({ address, port, host, ca, timeoutMs, signal });
    if (!result.ok) return { kind: 'key-exchange-failed', problem: result.problem, detail: result.detail };
    const { answer, keys } = result;
    const ntpPort = answer.port ?? defaultPorts.ntp;
    // Cookies belong to the machine that gave them: without another name it is asked where it answered.
    let ntpAddress: string | undefined = address;
    if (answer.server !== undefined) {
      try {
        [ntpAddress] = await this.#lookUp(answer.server);
      } catch (error) {
        return { kind: 'unresolved', code: systemCode(error) ?? 'unknown' };
      }
    }
    if (ntpAddress === undefined) return { kind: 'unresolved', code: 'ENODATA' };
    const nts = new NtsSession(keys, answer.cookies, this.#random);
    this.#session = { nts, remote: { address: ntpAddress, port: ntpPort } };
    return this.#ntsSource();
  }
}

interface Source {
  readonly remote: Remote;
  readonly nextRequest: () => Request | undefined;
}
