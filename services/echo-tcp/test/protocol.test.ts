import { describe, expect, test } from 'vitest';
import { greetingLine, payloadPreview } from '../src/protocol.ts';

describe('greetingLine', () => {
  test('is the text in UTF-8 and the line end of the Internet', () => {
    expect(greetingLine('Grüße')).toEqual(Buffer.from('Grüße\r\n'));
  });

  test('without a text there is none, not an empty line', () => {
    expect(greetingLine('')).toBeUndefined();
  });
});

test('a preview is escaped and at most 64 bytes long', () => {
  expect(payloadPreview(Buffer.from('hi\n'))).toBe('hi\\n');
  expect(payloadPreview(Buffer.alloc(65, 'a'))).toBe(`${'a'.repeat(64)}...`);
});
