/** How far a transfer is, how fast it goes and how long it will take, as one line for a person. */
import { formatRate } from '@small-servers/shared/client/latency-limits';

/** The rate is that of about so much time past: it follows a change, and does not jump about. */
const WINDOW_MS = 5_000;
const SAMPLE_MS = 250;

export class TransferMeter {
  /** Bytes that are to be moved, as far as it is known. */
  totalBytes = 0;
  totalFiles = 0;
  /** More may be added to the totals: no time left can be told. */
  isOpen = true;
  files = 0;
  bytes = 0;
  readonly #clock: () => number;
  readonly #startMs: number;
  #samples: { ms: number; bytes: number }[];

  /** @param clock monotonic, in milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#startMs = clock();
    this.#samples = [{ ms: this.#startMs, bytes: 0 }];
  }

  get elapsedMs(): number {
    return this.#clock() - this.#startMs;
  }

  /** Of all so far: 0 to 1. Files count too, or a tree of empty ones would never move. */
  get fraction(): number {
    const whole = this.totalBytes + this.totalFiles;
    return whole === 0 ? 0 : (this.bytes + this.files) / whole;
  }

  /** Bytes a second, of the last few seconds. */
  rate(): number {
    const now = this.#clock();
    const last = this.#samples.at(-1);
    if (last === undefined || now - last.ms >= SAMPLE_MS) this.#samples.push({ ms: now, bytes: this.bytes });
    this.#samples = this.#samples.filter(
      ({ ms }, index) => now - ms <= WINDOW_MS || index === this.#samples.length - 1,
    );
    const [oldest] = this.#samples;
    return oldest === undefined || now === oldest.ms ? 0 : ((this.bytes - oldest.bytes) * 1000) / (now - oldest.ms);
  }

  /** `3 of 12 files  1.2 GiB of 3.0 GiB  580.0 MiB/s  0:03 left` */
  label(): string {
    const rate = this.rate();
    const parts = [`${formatBytes(this.bytes)} of ${formatBytes(this.totalBytes)}`, formatRate(Math.max(0, rate))];
    if (this.totalFiles !== 1) parts.unshift(`${this.files} of ${this.totalFiles}${this.isOpen ? '+' : ''} files`);
    if (!this.isOpen && rate > 0) parts.push(`${formatClock((this.totalBytes - this.bytes) / rate)} left`);
    return parts.join('  ');
  }
}

/** `1.5 MiB`, `12 B`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

/** `0:03`, `12:40`, `3:07:00`. */
export function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
