/** Bytes from a peer as text that no terminal, log reader or line parser can be misled by. */

const BACKSLASH = 0x5c;
const named = new Map([
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [BACKSLASH, '\\\\'],
]);

function escapeByte(byte: number): string {
  if (byte >= 0x20 && byte < 0x7f && byte !== BACKSLASH) return String.fromCharCode(byte);
  return named.get(byte) ?? `\\x${byte.toString(16).padStart(2, '0')}`;
}

/**
 * Printable ASCII as it is, everything else as `\n`, `\\` or `\xHH`; at most `maxBytes` of the input
 * are shown, then `...`.
 */
export function escapeBytes(bytes: Uint8Array, maxBytes: number): string {
  const shown = Array.from(bytes.subarray(0, maxBytes), escapeByte).join('');
  return bytes.length > maxBytes ? `${shown}...` : shown;
}
