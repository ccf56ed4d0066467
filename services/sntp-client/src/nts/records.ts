/**
 * NTS key exchange messages (RFC 8915 section 4): records inside of TLS, ended by End of Message.
 *
 *     byte 0-1   critical bit, record type (15 bits)
 *          2-3   length of the body
 *          4-    body
 */

export const recordTypes = {
  endOfMessage: 0,
  nextProtocol: 1,
  error: 2,
  warning: 3,
  aead: 4,
  newCookie: 5,
  server: 6,
  port: 7,
} as const;

export const PROTOCOL_NTPV4 = 0;

/** AEAD_AES_SIV_CMAC_256. */
export const AEAD_ID = 15;

const CRITICAL = 0x8000;
const RECORD_HEADER_BYTES = 4;

/** A cookie has to fit a datagram several times over; chrony's have 100 bytes. */
const MAX_COOKIE_BYTES = 256;
const MAX_COOKIES = 8;

/** What a server sends is a few hundred bytes; one that goes on and on is cut off. */
export const MAX_RESPONSE_BYTES = 16 * 1024;

export interface NtsRecord {
  readonly critical: boolean;
  readonly type: number;
  readonly body: Uint8Array;
}

export function encodeRecord({ critical, type, body }: NtsRecord): Buffer {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + body.length);
  bytes.writeUInt16BE((critical ? CRITICAL : 0) | type, 0);
  bytes.writeUInt16BE(body.length, 2);
  bytes.set(body, RECORD_HEADER_BYTES);
  return bytes;
}

/** Sixteen-bit numbers as a record's body. */
export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

/** What a client asks: NTPv4, with the one AEAD that every server has. */
export const keyExchangeRequest: Buffer = Buffer.concat(
  [
    { critical: true, type: recordTypes.nextProtocol, body: numbers(PROTOCOL_NTPV4) },
    { critical: false, type: recordTypes.aead, body: numbers(AEAD_ID) },
    { critical: true, type: recordTypes.endOfMessage, body: new Uint8Array() },
  ].map(encodeRecord),
);

/** The records up to End of Message, or `incomplete` while that has not come. */
export function parseRecords(bytes: Uint8Array): readonly NtsRecord[] | 'incomplete' {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: NtsRecord[] = [];
  let offset = 0;
  while (offset + RECORD_HEADER_BYTES <= bytes.length) {
    const first = view.getUint16(offset);
    const end = offset + RECORD_HEADER_BYTES + view.getUint16(offset + 2);
    if (end > bytes.length) return 'incomplete';
    const type = first & ~CRITICAL;
    // A copy: a Buffer's own slice() would keep all that was received alive for one cookie.
    const body = Uint8Array.from(bytes.subarray(offset + RECORD_HEADER_BYTES, end));
    if (type === recordTypes.endOfMessage) return records;
    records.push({ critical: (first & CRITICAL) !== 0, type, body });
    offset = end;
  }
  return 'incomplete';
}

/** Why a key exchange gave nothing, beside what TLS and TCP have to say. */
export const keyExchangeProblems = {
  'error-record': 'the server answered with an error',
  'unknown-critical-record': 'the server demands something that RFC 8915 does not know',
  'no-protocol': 'the server does not offer NTPv4',
  'no-aead': 'the server does not offer AEAD_AES_SIV_CMAC_256',
  'no-cookies': 'the server sent no cookies',
  'bad-record': 'a record has a body that it can not have',
  'too-long': 'the server sent more than a key exchange can need',
  'ended-early': 'the connection ended before the end of the message',
  'no-alpn': 'the server does not speak ntske/1 on this port',
  tls: 'TLS failed',
  certificate: 'the certificate is not to be trusted',
  refused: 'nothing listens there',
  unreachable: 'there is no way there',
  'timed-out': 'no answer in time',
} as const;
export type KeyExchangeProblem = keyof typeof keyExchangeProblems;

export interface KeyExchangeAnswer {
  readonly cookies: readonly Uint8Array[];
  /** Where to ask for the time, when that is not where keys were exchanged. */
  readonly server: string | undefined;
  readonly port: number | undefined;
}

export type Interpretation =
  | { readonly ok: true; readonly answer: KeyExchangeAnswer }
  | { readonly ok: false; readonly problem: KeyExchangeProblem; readonly detail: string };

const failed = (problem: KeyExchangeProblem, detail = ''): Interpretation => ({ ok: false, problem, detail });

/** What the records of a server's answer mean; never throws. */
export function interpret(records: readonly NtsRecord[]): Interpretation {
  const known: readonly number[] = Object.values(recordTypes);
  const strange = records.find(({ critical, type }) => critical && !known.includes(type));
  if (strange !== undefined) return failed('unknown-critical-record', `type ${strange.type}`);
  const bodies = (type: number): readonly Uint8Array[] =>
    records.filter((record) => record.type === type).map(({ body }) => body);
  const [error] = [...bodies(recordTypes.error), ...bodies(recordTypes.warning)];
  if (error !== undefined) return failed('error-record', `code ${numberIn(error) ?? 'of a wrong length'}`);
  if (!offers(bodies(recordTypes.nextProtocol), PROTOCOL_NTPV4)) return failed('no-protocol');
  if (!offers(bodies(recordTypes.aead), AEAD_ID)) return failed('no-aead');

  const cookies = bodies(recordTypes.newCookie);
  const wrong = cookies.find(({ length }) => length === 0 || length > MAX_COOKIE_BYTES);
  if (wrong !== undefined) return failed('bad-record', `a cookie of ${wrong.length} bytes`);
  if (cookies.length === 0) return failed('no-cookies');
  const [serverBody] = bodies(recordTypes.server);
  const server = serverBody && Buffer.from(serverBody).toString('latin1');
  if (server !== undefined && !/^[A-Za-z0-9.:_-]{1,255}$/.test(server)) return failed('bad-record', 'a server name');
  const [portBody] = bodies(recordTypes.port);
  const port = portBody && numberIn(portBody);
  if (portBody !== undefined && !port) return failed('bad-record', 'a port');
  return { ok: true, answer: { cookies: cookies.slice(0, MAX_COOKIES), server, port } };
}

/** One record of the type, and exactly what was asked for in it. */
function offers(bodies: readonly Uint8Array[], wanted: number): boolean {
  return bodies.length === 1 && bodies[0] !== undefined && numberIn(bodies[0]) === wanted;
}

function numberIn(body: Uint8Array): number | undefined {
  return body.length === 2 ? ((body[0] ?? 0) << 8) | (body[1] ?? 0) : undefined;
}
