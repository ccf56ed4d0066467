/** Who may come in: a pure decision over what is open, and the counts behind it. */
import type { RefusalReason } from './reasons.ts';

export interface AdmissionLimits {
  readonly maxConnections: number;
  /** Why one more than `maxConnections` is refused: a limit that was set, or the machine's. */
  readonly maxConnectionsReason: 'max-connections' | 'fd-limit';
  /** 0: no limit. */
  readonly maxConnectionsPerSource: number;
}

/**
 * Descriptors kept free of connections: the runtime's own (about 20 with the log and the admin
 * socket), one for a connection that is accepted only to be refused, and room for the service's own files. What a service
 * opens for its connections is counted with each of them.
 */
export const RESERVED_DESCRIPTORS = 32;

/**
 * The most connections that a limit of open files leaves room for; at least 1.
 * @param descriptorsEach of a connection: its socket, and what it holds open beside it
 */
export function connectionsForDescriptors(softLimit: number, descriptorsEach = 1): number {
  return Math.max(1, Math.floor((softLimit - RESERVED_DESCRIPTORS) / descriptorsEach));
}

/** The effective limits: what was asked for, or what the machine can hold where that is less. */
export function admissionLimits(
  configured: { readonly maxConnections: number; readonly maxConnectionsPerSource: number },
  softLimit: number,
  descriptorsEach = 1,
): AdmissionLimits {
  const possible = connectionsForDescriptors(softLimit, descriptorsEach);
  const limited = configured.maxConnections > 0 && configured.maxConnections < possible;
  return {
    maxConnections: limited ? configured.maxConnections : possible,
    maxConnectionsReason: limited ? 'max-connections' : 'fd-limit',
    maxConnectionsPerSource: configured.maxConnectionsPerSource,
  };
}

/** Counts open connections by source and decides on the next one. */
export class Admission {
  /** May be replaced at any time; those who are in stay in. */
  limits: AdmissionLimits;
  readonly #openBySource = new Map<string, number>();
  #open = 0;

  constructor(limits: AdmissionLimits) {
    this.limits = limits;
  }

  get open(): number {
    return this.#open;
  }

  /** Takes a place for `source`, or says why there is none. Each place taken is left exactly once. */
  enter(source: string): RefusalReason | undefined {
    const { maxConnections, maxConnectionsReason, maxConnectionsPerSource } = this.limits;
    if (this.#open >= maxConnections) return maxConnectionsReason;
    const fromSource = this.#openBySource.get(source) ?? 0;
    if (maxConnectionsPerSource > 0 && fromSource >= maxConnectionsPerSource) return 'max-connections-per-source';
    this.#open += 1;
    this.#openBySource.set(source, fromSource + 1);
    return undefined;
  }

  leave(source: string): void {
    this.#open -= 1;
    const left = (this.#openBySource.get(source) ?? 0) - 1;
    if (left > 0) this.#openBySource.set(source, left);
    else this.#openBySource.delete(source);
  }
}
