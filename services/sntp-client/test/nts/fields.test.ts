import { aessiv } from '@noble/ciphers/aes.js';
import { describe, expect, test } from 'vitest';
import { encodeAuthenticator, encodeNtsRequest, fieldTypes, openNtsReply } from '../../src/nts/fields.ts';
import { emptyHeader, encodeField, encodeHeader, parsePacket } from '../../src/packet.ts';

const key = Buffer.alloc(32, 3);
const uniqueId = Buffer.alloc(32, 0x11);
const nonce = Buffer.alloc(16, 0x22);
const header = encodeHeader({ ...emptyHeader, transmit: 0x0102030405060708n });

test('a request, byte for byte', () => {
  const cookie = Buffer.alloc(100, 0x33);
  const request = encodeNtsRequest({ header, uniqueId, cookie, placeholders: 1, nonce, key });
  const before = Buffer.from(
    `23${'00'.repeat(39)}0102030405060708` +
      `01040024${'11'.repeat(32)}` +
      `02040068${'33'.repeat(100)}` +
      `03040068${'00'.repeat(100)}`,
    'hex',
  );
  const tag = Buffer.from(aessiv(key, before, nonce).encrypt(new Uint8Array())).toString('hex');
  const authenticator = `0404002800100010${'22'.repeat(16)}${tag}`;
  expect(request.toString('hex')).toBe(before.toString('hex') + authenticator);
});

/** A reply as a server makes it. */
function makeReply({
  id = uniqueId,
  cookies = [Buffer.alloc(100, 0x44)],
  header: head = { ...emptyHeader, mode: 4, stratum: 1 },
} = {}): Buffer {
  const before = Buffer.concat([encodeHeader(head), encodeField(fieldTypes.uniqueIdentifier, id)]);
  const plaintext = Buffer.concat(cookies.map((cookie) => encodeField(fieldTypes.cookie, cookie)));
  return Buffer.concat([before, encodeAuthenticator(before, nonce, key, plaintext)]);
}

function openReply(bytes: Buffer) {
  const parsed = parsePacket(bytes);
  return parsed.ok ? openNtsReply(bytes, parsed.packet, uniqueId, key) : parsed.problem;
}

describe('a reply', () => {
  test('that is right gives its cookies', () => {
    const opened = openReply(makeReply({ cookies: [Buffer.alloc(100, 1), Buffer.alloc(96, 2)] }));
    expect(opened).toEqual({ ok: true, cookies: [new Uint8Array(100).fill(1), new Uint8Array(96).fill(2)] });
  });

  test('in which any single bit was changed is refused', () => {
    const reply = makeReply();
    for (let bit = 0; bit < reply.length * 8; bit++) {
      const changed = Buffer.from(reply);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const opened = openReply(changed);
      expect(opened === 'malformed' || (typeof opened === 'object' && !opened.ok)).toBe(true);
    }
  });

  test('without NTS is refused: there is no way back to plain NTP', () => {
    expect(openReply(encodeHeader({ ...emptyHeader, mode: 4 }))).toEqual({ ok: false, problem: 'nts-missing' });
    const stripped = Buffer.concat([makeReply().subarray(0, 48), encodeField(fieldTypes.uniqueIdentifier, uniqueId)]);
    expect(openReply(stripped)).toEqual({ ok: false, problem: 'nts-missing' });
  });

  test('to somebody else’s request is refused', () => {
    expect(openReply(makeReply({ id: Buffer.alloc(32, 9) }))).toEqual({ ok: false, problem: 'nts-wrong-id' });
  });

  test('whose identifier stands behind the authenticator proves nothing', () => {
    const before = encodeHeader({ ...emptyHeader, mode: 4, stratum: 1 });
    const behind = Buffer.concat([
      before,
      encodeAuthenticator(before, nonce, key, Buffer.alloc(0)),
      encodeField(fieldTypes.uniqueIdentifier, uniqueId),
    ]);
    expect(openReply(behind)).toEqual({ ok: false, problem: 'nts-wrong-id' });
  });

  test('cookies behind the authenticator are not taken', () => {
    const opened = openReply(
      Buffer.concat([makeReply({ cookies: [] }), encodeField(fieldTypes.cookie, Buffer.alloc(100, 6))]),
    );
    expect(opened).toEqual({ ok: true, cookies: [] });
  });

  test('NTSN says the cookie can not be opened, for our identifier alone', () => {
    const nak = { ...emptyHeader, mode: 4, stratum: 0, referenceId: 0x4e54534e };
    const withId = (id: Buffer): Buffer =>
      Buffer.concat([encodeHeader(nak), encodeField(fieldTypes.uniqueIdentifier, id)]);
    expect(openReply(withId(uniqueId))).toEqual({ ok: false, problem: 'nts-nak' });
    expect(openReply(withId(Buffer.alloc(32, 9)))).toEqual({ ok: false, problem: 'nts-wrong-id' });
  });

  test.each([
    ['a nonce beyond the field', 'ffff0010'],
    ['a ciphertext beyond the field', '0010ffff'],
    ['no nonce', '00000010'],
  ])('with %s in the authenticator is refused', (_name, lengths) => {
    const before = Buffer.concat([
      encodeHeader({ ...emptyHeader, mode: 4, stratum: 1 }),
      encodeField(fieldTypes.uniqueIdentifier, uniqueId),
    ]);
    const field = encodeField(fieldTypes.authenticator, Buffer.concat([Buffer.from(lengths, 'hex'), Buffer.alloc(32)]));
    expect(openReply(Buffer.concat([before, field]))).toEqual({ ok: false, problem: 'nts-unauthentic' });
  });
});
