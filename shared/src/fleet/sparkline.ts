/** A row of values as a row of small bars. */

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * The last `width` values, newest at the right, each between 0 and the largest of them; blank on the left while
 * there are fewer. What is above 0 is never drawn as 0.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const largest = Math.max(0, ...shown);
  const bars = shown.map((value) => {
    const height = largest > 0 ? Math.ceil((value / largest) * (BARS.length - 1)) : 0;
    return BARS[Math.min(BARS.length - 1, Math.max(0, height))];
  });
  return bars.join('').padStart(width);
}
