/**
 * What a file is called while it is not here as a whole. All these names end alike, and no name that a server gives is
 * ever written here if it ends so: no file on its way can get in the place of another.
 *
 *   NAME.ETAG.small-servers-part   kept for a later run; the etag says of which content the bytes are, so nothing else
 *                                  has to be kept beside them, and two contents never share a file
 *   HASH~ETAG.small-servers-part   the same, where NAME leaves no room for what is behind it
 *   DIGITS.small-servers-part      a small file, between its first byte and its last
 *
 * An etag holds letters and digits alone (docs/protocols/file.md), so no two of them are ever the same name.
 */
import { plainSpelling } from '../protocol/path.ts';
import { crypto } from './crypto.ts';

const PART_END = '.small-servers-part';

/** Of most file systems. */
const MAX_NAME_BYTES = 255;
const HASH_DIGITS = 32;

/** What a large file is called while it arrives, in the folder where it is to be. */
export function partName(name: Buffer, etag: string): Buffer {
  const end = `${etag}${PART_END}`;
  if (name.length + 1 + end.length <= MAX_NAME_BYTES) return Buffer.concat([name, Buffer.from(`.${end}`)]);
  const hash = crypto().createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS);
  return Buffer.from(`${hash}~${end}`);
}

/** Another one at each call, in ASCII and always as long. It is no secret: who makes the file asks for a new one. */
export function temporaryName(random: () => number = Math.random): string {
  const digits = (): string =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return `${digits()}${digits()}${PART_END}`;
}

/** Whether a name is one of those above, in any spelling that some file system takes for the same. */
export function isPartName(name: Buffer): boolean {
  const last = name[name.length - 1] ?? 0;
  // Almost every name is ruled out by its last byte: a `t`, or a character beyond ASCII that might be left out.
  if ((last | 0x20) !== 0x74 && last < 0x80) return false;
  return plainSpelling(name).endsWith(PART_END);
}
