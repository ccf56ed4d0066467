/** A progress bar on a terminal, and nothing anywhere else. */
const WIDTH_CELLS = 30;
const FRAME_MS = 100;

export interface ProgressOptions {
  /** Left out: nothing is shown. */
  readonly terminal: { write(text: string): unknown; readonly columns?: number } | undefined;
  /** From 0 to 1. */
  readonly fraction: () => number;
  /** What stands after the bar. */
  readonly label: () => string;
}

/** Shows a bar until the returned function is called, which wipes it away. */
export function showProgress({ terminal, fraction, label }: ProgressOptions): () => void {
  if (terminal === undefined) return () => {};
  const timer = setInterval(() => {
    const done = Math.round(Math.min(1, Math.max(0, fraction())) * WIDTH_CELLS);
    const line = `[${'#'.repeat(done)}${'.'.repeat(WIDTH_CELLS - done)}] ${label()}`;
    terminal.write(`\r\x1b[K${line.slice(0, (terminal.columns ?? 80) - 1)}`);
  }, FRAME_MS);
  return () => {
    clearInterval(timer);
    terminal.write('\r\x1b[K');
  };
}
