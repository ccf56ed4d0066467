/**
 * NTS fields in NTP packets (RFC 8915 section 5), byte for byte.
 *
 *     request: header (48) | unique identifier 0104 | cookie 0204 | placeholders 0304 ... | authenticator 0404
 *     reply:   header (48) | unique identifier 0104 | authenticator 0404 with new cookies encrypted in it
 *
 *     authenticator body: nonce length 2, ciphertext length 2, nonce, ciphertext, each padded to 4
 *
 * The authenticator covers all bytes before it. What stands after it proves nothing and is not read.
 */
import type { NtsProblem } from '../acceptance.ts';
import { kissText } from '../acceptance.ts';
import { type ExtensionField, encodeField, type Packet, parseFields } from '../packet.ts';
import { open, seal } from './aead.ts';

export const fieldTypes = {
  uniqueIdentifier: 0x0104,
  cookie: 0x0204,
  cookiePlaceholder: 0x0304,
  authenticator: 0x0404,
} as const;

export const UNIQUE_ID_BYTES = 32;
export const NONCE_BYTES = 16;

/** Fields inside of the ciphertext have no least length of their own. */
const MIN_ENCRYPTED_FIELD_BYTES = 4;

export interface RequestParts {
  readonly header: Uint8Array;
  readonly uniqueId: Uint8Array;
  readonly cookie: Uint8Array;
  /** How many cookies to ask for beside the one that replaces `cookie`. */
  readonly placeholders: number;
  readonly nonce: Uint8Array;
  /** The key from client to server. */
  readonly key: Uint8Array;
}

/** A whole authenticated request. */
export function encodeNtsRequest(parts: RequestParts): Buffer {
  const { header, uniqueId, cookie, placeholders, nonce, key } = parts;
  const placeholder = encodeField(fieldTypes.cookiePlaceholder, new Uint8Array(cookie.length));
  const before = Buffer.concat([
    header,
    encodeField(fieldTypes.uniqueIdentifier, uniqueId),
    encodeField(fieldTypes.cookie, cookie),
    ...Array.from({ length: placeholders }, () => placeholder),
  ]);
  return Buffer.concat([before, encodeAuthenticator(before, nonce, key, new Uint8Array())]);
}

/** The authenticator over `before`, with `plaintext` encrypted inside of it. */
export function encodeAuthenticator(
  before: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  const ciphertext = seal(key, [before, nonce], plaintext);
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(nonce.length, 0);
  lengths.writeUInt16BE(ciphertext.length, 2);
  return encodeField(fieldTypes.authenticator, Buffer.concat([lengths, padded(nonce), padded(ciphertext)]));
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

export type NtsReply =
  | { readonly ok: true; readonly cookies: readonly Uint8Array[] }
  | { readonly ok: false; readonly problem: NtsProblem };

const refused = (problem: NtsProblem): NtsReply => ({ ok: false, problem });

/**
 * Proves a reply and opens the cookies in it.
 *
 * @param bytes the datagram that `packet` was read from
 * @param key the key from server to client
 */
export function openNtsReply(bytes: Uint8Array, packet: Packet, uniqueId: Uint8Array, key: Uint8Array): NtsReply {
  const ofType = (type: number): readonly ExtensionField[] => packet.fields.filter((field) => field.type === type);
  const [id] = ofType(fieldTypes.uniqueIdentifier);
  const [authenticator] = ofType(fieldTypes.authenticator);
  if (packet.stratum === 0 && kissText(packet.referenceId) === 'NTSN' && authenticator === undefined) {
    return refused(id !== undefined && sameBytes(id.body, uniqueId) ? 'nts-nak' : 'nts-wrong-id');
  }
  if (id === undefined || authenticator === undefined) return refused('nts-missing');
  // One that stands after the authenticator was put there by anybody.
  if (id.offset > authenticator.offset || !sameBytes(id.body, uniqueId)) return refused('nts-wrong-id');

  const plaintext = openAuthenticator(bytes, authenticator, key);
  const inner = plaintext && parseFields(plaintext, 0, MIN_ENCRYPTED_FIELD_BYTES, []);
  if (inner === undefined) return refused('nts-unauthentic');
  const cookies = inner.filter(({ type, body }) => type === fieldTypes.cookie && body.length > 0);
  return { ok: true, cookies: cookies.map(({ body }) => Uint8Array.from(body)) };
}

/** The plaintext of an authenticator, or `undefined` when it proves nothing. */
export function openAuthenticator(
  bytes: Uint8Array,
  { body, offset }: ExtensionField,
  key: Uint8Array,
): Buffer | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const nonceLength = view.getUint16(0);
  const ciphertextStart = 4 + nonceLength + (-nonceLength & 3);
  const ciphertextEnd = ciphertextStart + view.getUint16(2);
  if (nonceLength === 0 || ciphertextEnd > body.length) return undefined;
  const nonce = body.subarray(4, 4 + nonceLength);
  return open(key, [bytes.subarray(0, offset), nonce], body.subarray(ciphertextStart, ciphertextEnd));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
