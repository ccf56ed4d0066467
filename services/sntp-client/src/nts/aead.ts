/**
 * AEAD_AES_SIV_CMAC_256 (RFC 5297), which NTS makes mandatory: two 128-bit AES keys, the synthetic IV
 * first, any number of strings as associated data. OpenSSL's `aes-128-siv` takes each by its own call.
 * (@types/node knows associated data and tags of the GCM ciphers alone, hence the casts.)
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from 'node:crypto';

const CIPHER = 'aes-128-siv';
export const KEY_BYTES = 32;

/** The synthetic IV, which is the tag as well, stands before the ciphertext. */
export const TAG_BYTES = 16;

/** The associated data in their order; the last one is the nonce (RFC 5297 section 3). */
type AssociatedData = readonly Uint8Array[];

/** Tag and ciphertext. */
export function seal(key: Uint8Array, associated: AssociatedData, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, null) as CipherGCM;
  for (const data of associated) cipher.setAAD(data);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([cipher.getAuthTag(), ciphertext]);
}

/** The plaintext, or `undefined` when the tag does not fit. */
export function open(key: Uint8Array, associated: AssociatedData, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, null) as DecipherGCM;
  const ciphertext = sealed.subarray(TAG_BYTES);
  decipher.setAuthTag(sealed.subarray(0, TAG_BYTES));
  for (const data of associated) decipher.setAAD(data);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return undefined;
  }
}
