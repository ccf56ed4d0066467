/** Tables for people, in plain text that is good Markdown as well. */

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Every row has a cell for every column. Rows of missing peers follow below: `missing: NAME (why)`. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  missing: ReadonlyMap<string, string> = new Map(),
): string {
  const widths = columns.map((column, index) =>
    Math.max(3, column.title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${columns.map((column, index) => pad(cells[index] ?? '', widths[index] ?? 0, column.align)).join(' | ')} |\n`;
  const rule = columns.map((column, index) => {
    const dashes = '-'.repeat((widths[index] ?? 0) - 1);
    return column.align === 'right' ? `${dashes}:` : `${dashes}-`;
  });
  const notes = [...missing].map(([name, why]) => `missing: ${name} (${why})\n`);
  return [
    line(columns.map((column) => column.title)),
    line(rule),
    ...rows.map(line),
    ...(notes.length > 0 ? ['\n', ...notes] : []),
  ].join('');
}

function pad(text: string, width: number, align: Column['align']): string {
  return align === 'right' ? text.padStart(width) : text.padEnd(width);
}
