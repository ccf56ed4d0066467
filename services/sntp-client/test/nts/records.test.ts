import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeRecord,
  interpret,
  keyExchangeRequest,
  numbers,
  parseRecords,
  recordTypes,
} from '../../src/nts/records.ts';

const record = (type: number, body: Uint8Array = Buffer.alloc(0), critical = true) => ({ critical, type, body });
const protocol = record(recordTypes.nextProtocol, numbers(0));
const aead = record(recordTypes.aead, numbers(15), false);
const cookie = record(recordTypes.newCookie, Buffer.alloc(100, 1), false);
const end = record(recordTypes.endOfMessage);
const good = [protocol, aead, cookie];

test('the request, byte for byte: NTPv4, AEAD_AES_SIV_CMAC_256, end', () => {
  expect(keyExchangeRequest.toString('hex')).toBe('80010002000000040002000f80000000');
});

describe('records off the wire', () => {
  test('are complete at End of Message and not one byte before, wherever they are cut', () => {
    const bytes = Buffer.concat([...good, end].map(encodeRecord));
    for (let length = 0; length < bytes.length; length++) {
      expect(parseRecords(bytes.subarray(0, length))).toBe('incomplete');
    }
    expect(parseRecords(bytes)).toEqual(good.map((one) => ({ ...one, body: Uint8Array.from(one.body) })));
  });

  test('any bytes are records or not yet: nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const records = parseRecords(bytes);
        if (records !== 'incomplete') expect(typeof interpret(records).ok).toBe('boolean');
      }),
      { seed: 9, numRuns: 2_000 },
    );
  });
});

describe('what an answer means', () => {
  test('cookies, and where to go with them', () => {
    const server = record(recordTypes.server, Buffer.from('ntp.example'));
    const port = record(recordTypes.port, numbers(11_123));
    const meaning = interpret([...good, cookie, server, port]);
    expect(meaning).toMatchObject({ ok: true, answer: { server: 'ntp.example', port: 11_123 } });
    expect(meaning.ok && meaning.answer.cookies).toHaveLength(2);
  });

  test('without server and port it is the same host and the usual port', () => {
    expect(interpret(good)).toMatchObject({ ok: true, answer: { server: undefined, port: undefined } });
  });

  test('an unknown record that is not critical is passed over', () => {
    expect(interpret([...good, record(0x4000, Buffer.alloc(3), false)]).ok).toBe(true);
  });

  test.each([
    ['an error record', [record(recordTypes.error, numbers(1))], 'error-record'],
    ['a warning', [record(recordTypes.warning, numbers(0)), ...good], 'error-record'],
    ['an unknown critical record', [...good, record(0x4000)], 'unknown-critical-record'],
    ['no protocol', [aead, cookie], 'no-protocol'],
    ['another protocol', [record(recordTypes.nextProtocol, numbers(1)), aead, cookie], 'no-protocol'],
    ['an empty AEAD record', [protocol, record(recordTypes.aead), cookie], 'no-aead'],
    ['another AEAD', [protocol, record(recordTypes.aead, numbers(30)), cookie], 'no-aead'],
    ['no cookies', [protocol, aead], 'no-cookies'],
    ['an empty cookie', [...good, record(recordTypes.newCookie)], 'bad-record'],
    ['a giant cookie', [...good, record(recordTypes.newCookie, Buffer.alloc(5_000))], 'bad-record'],
    ['a server name with a line break', [...good, record(recordTypes.server, Buffer.from('a\nb'))], 'bad-record'],
    ['port 0', [...good, record(recordTypes.port, numbers(0))], 'bad-record'],
    ['a port of three bytes', [...good, record(recordTypes.port, Buffer.alloc(3))], 'bad-record'],
  ])('%s is refused by name', (_name, records, problem) => {
    expect(interpret(records)).toMatchObject({ ok: false, problem });
  });

  test('of twenty cookies eight are kept', () => {
    const meaning = interpret([protocol, aead, ...Array.from({ length: 20 }, () => cookie)]);
    expect(meaning.ok && meaning.answer.cookies).toHaveLength(8);
  });
});
