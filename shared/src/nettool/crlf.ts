/** Line ends for the protocols of the internet, which want CR LF where a keyboard gives LF. */

const CR = 0x0d;
const LF = 0x0a;

/**
 * The same bytes with a CR before every LF that has none, also across the borders of chunks.
 *
 * @param options.endLine also ends the last line, unless it is ended already
 */
export async function* withCrlf(
  chunks: AsyncIterable<Uint8Array>,
  { endLine }: { readonly endLine: boolean },
): AsyncGenerator<Uint8Array> {
  let previous: number | undefined;
  for await (const chunk of chunks) {
    const bytes: number[] = [];
    for (const byte of chunk) {
      if (byte === LF && previous !== CR) bytes.push(CR);
      bytes.push(byte);
      previous = byte;
    }
    yield Uint8Array.from(bytes);
  }
  if (endLine && previous !== LF) yield Uint8Array.of(CR, LF);
}
