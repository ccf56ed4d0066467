/** A record as its line: what JSON.stringify makes of it, for most records in less time. */

/** Text that stands in JSON as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * @param head the line's beginning, up to its own fields and without a comma
 * @returns `undefined` when the fields can't be written as JSON
 */
export function formatRecord(head: string, fields: Fields, message: string): string | undefined {
  const quick = formatPlain(head, fields, message);
  if (quick !== undefined) return quick;
  try {
    const own = JSON.stringify(fields).slice(1, -1);
    return `${head}${own === '' ? '' : `,${own}`},"msg":${JSON.stringify(message)}}\n`;
  } catch {
    return undefined;
  }
}

/** Numbers, switches and plain text, which are most fields: one look at all text together says whether it is plain. */
function formatPlain(head: string, fields: Fields, message: string): string | undefined {
  let line = head;
  let texts = message;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === 'string') {
      texts += value;
      line += `,"${name}":"${value}"`;
    } else if (Number.isFinite(value) || typeof value === 'boolean') {
      line += `,"${name}":${value}`;
    } else if (value !== undefined) {
      return undefined;
    }
    texts += name;
  }
  return PLAIN.test(texts) ? `${line},"msg":"${message}"}\n` : undefined;
}
