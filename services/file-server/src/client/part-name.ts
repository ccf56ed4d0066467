/**
 * What a file is called while it arrives: `NAME.ETAG.part`, in the folder where it is to be. The etag in the name says
 * of which content the bytes are, so nothing else has to be kept beside them, and two contents never share a file.
 */
import { crypto } from './crypto.ts';

/** Of most file systems. */
const MAX_NAME_BYTES = 255;
const HASH_DIGITS = 32;

/** What stands behind a name that leaves room for it. */
export function partEnd(etag: string): string {
  return `.${etag}.part`;
}

export function partName(name: Buffer, etag: string): Buffer {
  const end = partEnd(etag);
  if (name.length + end.length <= MAX_NAME_BYTES) return Buffer.concat([name, Buffer.from(end)]);
  const hash = crypto().createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS);
  return Buffer.from(`${hash}${end}`);
}
