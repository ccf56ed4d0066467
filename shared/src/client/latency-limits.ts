/** `--max-p99 5ms` and its like: limits on round trips, what was missed of them, and how figures are written. */
import { duration } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import type { RoundTripSummary } from './statistics.ts';

const limit = (what: string) =>
  setting(duration({ min: 0.001, off: true }), {
    default: 0,
    group: 'Limits',
    help: `exit with 2 if ${what} takes longer`,
  });

export const latencyLimitSettings = {
  maxP50Ms: limit('half of the round trips'),
  maxP90Ms: limit('1 round trip in 10'),
  maxP99Ms: limit('1 round trip in 100'),
  maxP999Ms: limit('1 round trip in 1000'),
  maxRoundTripMs: limit('any round trip'),
} as const;

type LatencyLimits = ConfigOf<typeof latencyLimitSettings>;

/** Each limit with the figure it is held against. */
const limits = [
  { flag: 'max-p50', property: 'maxP50Ms', figure: 'p50' },
  { flag: 'max-p90', property: 'maxP90Ms', figure: 'p90' },
  { flag: 'max-p99', property: 'maxP99Ms', figure: 'p99' },
  { flag: 'max-p999', property: 'maxP999Ms', figure: 'p999' },
  { flag: 'max-round-trip', property: 'maxRoundTripMs', figure: 'max' },
] as const satisfies readonly { flag: string; property: keyof LatencyLimits; figure: keyof RoundTripSummary }[];

export interface MissedLatencyLimit {
  readonly limit: string;
  readonly limitMs: number;
  readonly measuredMs: number;
}

export function missedLatencyLimits(summary: RoundTripSummary, config: LatencyLimits): readonly MissedLatencyLimit[] {
  return limits.flatMap(({ flag, property, figure }) => {
    const limitMs = config[property];
    const measuredMs = summary[figure];
    return limitMs > 0 && measuredMs !== null && measuredMs > limitMs ? [{ limit: flag, limitMs, measuredMs }] : [];
  });
}

/** `--max-p99 5ms: it was 7.1 ms`. */
export function formatMissedLatency({ limit, limitMs, measuredMs }: MissedLatencyLimit): string {
  return `--${limit} ${limitMs}ms: it was ${measuredMs} ms`;
}

/** `min 0.1  p50 0.2  ...  max 0.9 ms`; a dash for each when nothing was recorded. */
export function formatRoundTrips(summary: RoundTripSummary): string {
  const figures = Object.entries({ ...summary })
    .filter(([name]) => name !== 'mean')
    .map(([name, ms]) => `${name === 'p999' ? 'p99.9' : name} ${ms ?? '-'}`);
  return `${figures.join('  ')} ms`;
}

/** `1.5 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  const units = ['B/s', 'KiB/s', 'MiB/s', 'GiB/s'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytesPerSecond)) / 10)));
  return `${(bytesPerSecond / 1024 ** step).toFixed(1)} ${units[step]}`;
}
