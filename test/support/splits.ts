/** Every way in which TCP may cut an input in two: a reader of bytes must not care. */

/** `[head, tail]` for each position, both ends included. */
export function* everySplit(input: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
  for (let at = 0; at <= input.length; at++) yield [input.subarray(0, at), input.subarray(at)];
}

/** All 256 byte values in order, telnet's IAC and NUL among them. */
export const allBytes: Uint8Array = Uint8Array.from({ length: 256 }, (_, value) => value);

/** Bytes that look random and are the same in each run (xorshift32); no two 64 KiB blocks are alike. */
export function seededBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed | 1;
  for (let offset = 0; offset < length; offset++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[offset] = state;
  }
  return bytes;
}
