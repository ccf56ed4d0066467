/** What a running service is to those who start and stop it. */
import type { MetricSource } from './metrics.ts';

/** A socket that waits for peers, as it really is: port 0 has become a number. */
export interface Listener {
  readonly transport: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** True when the socket came from the supervisor. */
  readonly inherited?: boolean;
  /** The kernel's buffer for what arrives, as the system reports it; left out where it can't be asked. */
  readonly recvBufferBytes?: number;
  /** The same for what is sent. */
  readonly sendBufferBytes?: number;
  /** The system's setting that made the buffer for what arrives smaller than was asked for. */
  readonly recvBufferLimit?: string;
  /** How datagrams are read and sent. */
  readonly io?: 'batch' | 'dgram';
}

export interface Service<Config = never> {
  readonly listeners: readonly Listener[];
  /** Resolves when, after a stop, the last connection has ended or was cut at the deadline. */
  readonly closed: Promise<void>;
  /**
   * For a service that asks others in place of listening: milliseconds of its last exchange that worked.
   * Without a network there is none, and the service is up all the same.
   */
  lastExchangeMs?(): number | undefined;
  /**
   * Another process listens on the same ports now: gives it every new peer, and goes on with its own
   * until it is stopped. Says why when that can't be done.
   */
  handOver?(): string | undefined;
  /**
   * Applies a configuration in which only live settings differ. What it throws rejects the reload, so it throws before
   * it changes anything. @throws Error whose message says what can't be applied
   */
  reconfigure?(config: Config): void;
  /** Its own metric families, asked for at each scrape. */
  metrics?: MetricSource;
}
