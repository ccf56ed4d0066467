/** The level of a log: the configured one, or for a time another one that somebody asked for. */
import { formatDurationMs } from '../config/units.ts';
import type { Log } from './log.ts';
import type { LogLevel } from './log-levels.ts';

export interface LogLevelState {
  /** In force now. */
  readonly level: LogLevel;
  /** What it goes back to. */
  readonly configured: LogLevel;
  /** Milliseconds until then; left out when the configured level is in force by itself. */
  readonly revertsInMs?: number;
}

export class LogLevelControl {
  readonly #log: Log;
  readonly #clock: () => number;
  #configured: LogLevel;
  #timer: NodeJS.Timeout | undefined;
  #revertsAtMs = 0;

  /** @param clock monotonic, in milliseconds */
  constructor(log: Log, configured: LogLevel, clock: () => number = () => performance.now()) {
    this.#log = log;
    this.#clock = clock;
    this.#configured = configured;
  }

  get state(): LogLevelState {
    const level = this.#log.level as LogLevel;
    const configured = this.#configured;
    if (this.#timer === undefined) return { level, configured };
    return { level, configured, revertsInMs: Math.max(0, Math.round(this.#revertsAtMs - this.#clock())) };
  }

  /** For a time; a second call replaces the first. */
  override(level: LogLevel, ttlMs: number): void {
    clearTimeout(this.#timer);
    this.#revertsAtMs = this.#clock() + ttlMs;
    this.#timer = setTimeout(() => this.#revert(), ttlMs).unref();
    this.#change(level, { ttlMs }, `for ${formatDurationMs(ttlMs)}`);
  }

  /** A reload's new level: at once, or, while another one is in force for a time, after that. */
  configure(level: LogLevel): void {
    this.#configured = level;
    if (this.#timer === undefined) this.#log.level = level;
  }

  #revert(): void {
    this.#timer = undefined;
    this.#change(this.#configured, {}, 'as configured');
  }

  #change(to: LogLevel, fields: { readonly ttlMs?: number }, how: string): void {
    const from = this.#log.level;
    // Whoever reads the log must see why records of a level begin or end, whichever level that is.
    this.#log.level = 'info';
    this.#log.info({ event: 'log-level-changed', from, to, ...fields }, `log level ${from} -> ${to}, ${how}`);
    this.#log.level = to;
  }
}
