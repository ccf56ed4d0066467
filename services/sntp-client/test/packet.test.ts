import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeField, encodeHeader, encodeRequest, formatReferenceId, parsePacket } from '../src/packet.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** Written by hand from RFC 5905 figure 8. */
const reply = hex(`
  64 02 0a e9
  00 01 80 00
  00 00 40 00
  c0 00 02 01
  e0 00 00 00 00 00 00 00
  01 23 45 67 89 ab cd ef
  e0 00 00 10 80 00 00 00
  e0 00 00 10 c0 00 00 00
`);

const parsed = (bytes: Uint8Array) => {
  const result = parsePacket(bytes);
  if (!result.ok) throw new Error(result.problem);
  return result.packet;
};

describe('a header, field by field', () => {
  test('every field of a hand-written reply', () => {
    expect(parsed(reply)).toEqual({
      leap: 1,
      version: 4,
      mode: 4,
      stratum: 2,
      poll: 10,
      precision: -23,
      rootDelaySeconds: 1.5,
      rootDispersionSeconds: 0.25,
      referenceId: 0xc0000201,
      reference: 0xe0000000_00000000n,
      origin: 0x01234567_89abcdefn,
      receive: 0xe0000010_80000000n,
      transmit: 0xe0000010_c0000000n,
      fields: [],
    });
  });

  test('the same bytes are written back', () => {
    expect(encodeHeader(parsed(reply))).toEqual(reply);
  });

  test('a request gives nothing away: 48 bytes, mode 3, version 4, a random transmit time stamp, zeros', () => {
    expect(encodeRequest(0xfedcba98_76543210n)).toEqual(hex(`23${'00'.repeat(39)}fedcba9876543210`));
  });
});

describe('what follows the header', () => {
  test('extension fields with their offsets', () => {
    const one = encodeField(0x0104, hex('aabb'));
    const two = encodeField(0x0404, Buffer.alloc(25, 1));
    const { fields } = parsed(Buffer.concat([reply, one, two]));
    expect(fields.map(({ type, offset, body }) => [type, offset, body.length])).toEqual([
      [0x0104, 48, 12],
      [0x0404, 64, 28],
    ]);
  });

  test.each([4, 20, 24])('a legacy MAC of %i bytes is left aside', (length) => {
    expect(parsed(Buffer.concat([reply, Buffer.alloc(length, 7)])).fields).toEqual([]);
  });

  test.each([
    ['one byte', hex('00')],
    ['a field without a length', hex('0104')],
    ['a length of zero', hex(`01040000${'00'.repeat(24)}`)],
    ['a length below 16', hex(`0104000c${'00'.repeat(24)}`)],
    ['a length that is no multiple of 4', hex(`01040012${'00'.repeat(24)}`)],
    ['a length beyond the end', hex(`01040024${'00'.repeat(24)}`)],
    ['a length of 65535', hex(`0104ffff${'00'.repeat(24)}`)],
  ])('%s is malformed', (_name, rest) => {
    expect(parsePacket(Buffer.concat([reply, rest]))).toEqual({ ok: false, problem: 'malformed' });
  });

  test('anything below 48 bytes is short, the empty datagram too', () => {
    for (let length = 0; length < 48; length++) {
      expect(parsePacket(reply.subarray(0, length))).toEqual({ ok: false, problem: 'short' });
    }
  });
});

test('any bytes at all are parsed or refused by name, never by an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const result = parsePacket(bytes);
      expect(result.ok || result.problem === 'short' || result.problem === 'malformed').toBe(true);
    }),
    { seed: 2, numRuns: 5_000 },
  );
});

test('a reference id is read as its stratum says', () => {
  expect(formatReferenceId(0x47505300, 1)).toBe('GPS');
  expect(formatReferenceId(0x50544200, 1)).toBe('PTB');
  expect(formatReferenceId(0x7f7f0101, 1)).toBe('127.127.1.1');
  expect(formatReferenceId(0xc0000201, 2)).toBe('192.0.2.1');
  expect(formatReferenceId(0x1b5b324a, 1)).toBe('27.91.50.74');
});
