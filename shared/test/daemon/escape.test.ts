import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allBytes } from '../../../test/support/splits.ts';
import { escapeBytes } from '../../src/daemon/escape.ts';

/** What `escapeBytes` wrote, read back. */
function readBack(text: string): Buffer {
  const named: Record<string, string> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };
  const raw = text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex?: string, name?: string) =>
    hex === undefined ? (named[name ?? ''] ?? '?') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(raw, 'latin1');
}

describe('escapeBytes', () => {
  test('terminal sequences, line ends and backslashes are spelled out', () => {
    expect(escapeBytes(Buffer.from('a\x1b[31mb\r\n\tc\\x41\0\x7f\u009b'), 64)).toBe(
      'a\\x1b[31mb\\r\\n\\tc\\\\x41\\x00\\x7f\\xc2\\x9b',
    );
  });

  test('whatever the bytes, the text is printable ASCII and tells them exactly', () => {
    expect(escapeBytes(allBytes, 256)).toMatch(/^[\x20-\x7e]*$/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = escapeBytes(bytes, 200);
        return /^[\x20-\x7e]*$/.test(text) && readBack(text).equals(bytes);
      }),
    );
  });

  test('of a long input only the beginning is shown, and that it was cut', () => {
    expect(escapeBytes(Buffer.from('abcdef'), 3)).toBe('abc...');
    expect(escapeBytes(Buffer.from('abc'), 3)).toBe('abc');
    expect(escapeBytes(Buffer.alloc(0), 3)).toBe('');
  });
});
