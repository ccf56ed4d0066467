/**
 * The bytes a probe sends: what stands at each position of a connection's stream is known beforehand,
 * so that a reply is checked byte by byte without keeping what was sent.
 */
import { randomFillSync } from 'node:crypto';

/** A prime: no message size and no buffer size of ours divides it, so that no two messages are alike. */
const PERIOD_BYTES = 65_521;

/** No greeting starts with it: a greeting is a line of text. */
const FIRST_BYTE = 0x00;

const [TAB, LF, CR] = [0x09, 0x0a, 0x0d];
const MAX_GREETING_BYTES = 4_096;

/** Whether a byte may stand in a line of text: no control character but tab and the CR of its end. */
function isText(byte: number): boolean {
  return (byte >= 0x20 && byte !== 0x7f) || byte === TAB || byte === CR;
}

/** One endless stream of bytes; the same object gives what is sent and judges what comes back. */
export class Pattern {
  /** Two periods long, so that every slice of up to one period is in one piece. */
  readonly #bytes: Buffer;

  /** @param fill overwrites a buffer with arbitrary bytes; random ones when left out */
  constructor(fill: (bytes: Buffer) => void = randomFillSync) {
    const period = Buffer.allocUnsafe(PERIOD_BYTES);
    fill(period);
    period[0] = FIRST_BYTE;
    this.#bytes = Buffer.concat([period, period]);
  }

  /** The bytes from `position`, at most `length` of them and at least one. */
  slice(position: number, length: number): Buffer {
    const start = position % PERIOD_BYTES;
    return this.#bytes.subarray(start, start + Math.min(length, PERIOD_BYTES));
  }

  /** The first offset in `bytes` that is not what stands at `position`; -1 when all are right. */
  mismatch(bytes: Uint8Array, position: number): number {
    for (let offset = 0; offset < bytes.length; ) {
      const expected = this.slice(position + offset, bytes.length - offset);
      const actual = bytes.subarray(offset, offset + expected.length);
      if (expected.compare(actual) !== 0) {
        return offset + expected.findIndex((byte, index) => byte !== actual[index]);
      }
      offset += expected.length;
    }
    return -1;
  }
}

export type Verdict =
  /** All of it was right; so many bytes of the stream have now returned. */
  | { readonly kind: 'right'; readonly returned: number }
  | { readonly kind: 'wrong'; readonly position: number; readonly expected: number; readonly actual: number };

/** Judges one connection's replies as they arrive, in pieces of any size. */
export class ReplyCheck {
  readonly #pattern: Pattern;
  #returned = 0;
  /** What may become a greeting; `undefined` once it is settled what the first bytes are. */
  #line: number[] | undefined = [];
  #greeting: string | undefined;

  constructor(pattern: Pattern) {
    this.#pattern = pattern;
  }

  /** The line that the server sent first, without its end; `undefined` when it sent none. */
  get greeting(): string | undefined {
    return this.#greeting;
  }

  /** @param sent how many bytes of the stream were sent so far: more can not come back */
  accept(bytes: Uint8Array, sent: number): Verdict {
    const echoed = this.#withoutGreeting(bytes);
    const surplus = this.#returned + echoed.length - sent;
    const known = surplus > 0 ? echoed.subarray(0, echoed.length - surplus) : echoed;
    const offset = this.#pattern.mismatch(known, this.#returned);
    const wrongAt = offset === -1 && surplus > 0 ? known.length : offset;
    if (wrongAt !== -1) {
      const position = this.#returned + wrongAt;
      const expected = this.#pattern.slice(position, 1)[0] ?? 0;
      return { kind: 'wrong', position, expected, actual: echoed[wrongAt] ?? 0 };
    }
    this.#returned += echoed.length;
    return { kind: 'right', returned: this.#returned };
  }

  /** Takes a first line of text away. Bytes that turn out to be none are judged as echo, from the first on. */
  #withoutGreeting(bytes: Uint8Array): Uint8Array {
    const line = this.#line;
    if (line === undefined || bytes.length === 0) return bytes;
    for (const [index, byte] of bytes.entries()) {
      if (byte === LF && line.length > 0) {
        this.#greeting = Buffer.from(line).toString().trimEnd();
        this.#line = undefined;
        return bytes.subarray(index + 1);
      }
      if (!isText(byte) || line.length === MAX_GREETING_BYTES) {
        this.#line = undefined;
        return Buffer.concat([Buffer.from(line), bytes.subarray(index)]);
      }
      line.push(byte);
    }
    return bytes.subarray(bytes.length);
  }
}
