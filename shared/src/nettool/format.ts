/** Plain-text layout for the verbs: labelled lines, columns, and nothing that could disturb a terminal. */

export type Row = readonly [label: string, value: string | number | bigint | undefined];

/** `label   value` lines with the values aligned; rows without a value are left out. */
export function labelled(rows: readonly Row[]): string {
  const present = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...present.map(([label]) => label.length));
  return present.map(([label, value]) => `${label.padEnd(width)}  ${value}\n`).join('');
}

/**
 * Text with control and invisible formatting characters replaced by `?`, newlines kept: names and banners come from
 * strangers, and none of them may move the cursor or reverse a line.
 */
export function printable(text: string): string {
  return text.replace(/(?!\n)\p{C}/gu, '?');
}

/** `0.42 ms`, `12.3 ms`, `1.52 s`: three digits are all a person reads. */
export function shortTime(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : 2)} ms`;
}

/** Bytes in hexadecimal, in groups of `groupBytes` divided by `separator`. */
export function hex(bytes: Uint8Array, groupBytes = 0, separator = ' '): string {
  const text = Buffer.from(bytes).toString('hex');
  if (groupBytes === 0) return text;
  return (text.match(new RegExp(`.{1,${groupBytes * 2}}`, 'g')) ?? []).join(separator);
}

/** Bytes in binary, eight digits each. */
export function binary(bytes: Uint8Array, separator: string): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join(separator);
}

/** `1 byte`, `2 bytes`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count} ${noun}${count === 1 || count === 1n ? '' : 's'}`;
}
