/** Figures for people: three digits that matter, and the unit. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0`, `3.2`, `950`, `12,345`: one decimal below 10, none above. */
export function formatFigure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** `512 B`, `1.5 KiB`, `20 MiB`. */
export function formatBytes(bytes: number): string {
  const step = Math.min(byteUnits.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${formatFigure(bytes / 1024 ** step)} ${byteUnits[step]}`;
}

/** `0.4 ms`, `12 ms`, `1.2 s`. */
export function formatLag(ms: number): string {
  return ms < 1_000 ? `${formatFigure(ms)} ms` : `${formatFigure(ms / 1_000)} s`;
}
