/**
 * `node:crypto`, loaded when a digest is first asked for: that takes 5 of the 70 ms of a start, and most of what is
 * fetched needs no more than a crc32.
 */
export function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
