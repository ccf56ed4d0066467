/**
 * `node:crypto`, loaded when a digest is first asked for: that takes 5 ms, a tenth of a start, and most of what is
 * fetched needs no more than a crc32.
 */
export function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
