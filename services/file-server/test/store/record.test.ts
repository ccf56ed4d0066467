import { describe, expect, test } from 'vitest';
import { decodeRecord, encodeRecord, type UploadRecord } from '../../src/store/record.ts';
import { portableSha256 } from '../../src/store/sha256-portable.ts';
import { at, bytesOf, none } from './support/roots.ts';

function recordOf(bytes: number): UploadRecord {
  const digest = portableSha256();
  digest.update(bytesOf(bytes));
  return {
    id: '0123456789abcdef0123456789abcdef',
    request: { path: at('docs/%FF%0A.txt'), sizeBytes: 1000, precondition: none, sha256: undefined },
    durableBytes: bytes,
    digest: digest.save(),
  };
}

test('what is written is read again, whatever the bytes of the path', () => {
  const record = recordOf(100);
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});

describe('a record that is not sound is none', () => {
  test('cut off anywhere', () => {
    const bytes = encodeRecord(recordOf(100));
    for (let length = 0; length < bytes.length - 1; length++) {
      expect(decodeRecord(bytes.subarray(0, length))).toBeUndefined();
    }
  });

  test.each([
    ['version', 2],
    ['path', '../x'],
    ['path', 7],
    ['sizeBytes', -1],
    ['durableBytes', 99],
    ['durableBytes', 1e300],
    ['digest', {}],
    ['sha256', 'x'],
    ['precondition', { kind: 'etag' }],
    ['precondition', null],
    ['id', null],
  ])('%s: %j', (field, value) => {
    const fields = JSON.parse(encodeRecord(recordOf(100)).toString()) as Record<string, unknown>;
    expect(decodeRecord(Buffer.from(JSON.stringify({ ...fields, [field]: value })))).toBeUndefined();
  });

  test.each(['null', '7', '[]', ''])('%s', (text) => {
    expect(decodeRecord(Buffer.from(text))).toBeUndefined();
  });
});
