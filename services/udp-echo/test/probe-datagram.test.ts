import { describe, expect, test } from 'vitest';
import { HEADER_BYTES, ProbeCodec } from '../src/probe-datagram.ts';

const codec = new ProbeCodec(64, 0x0123456789abcdefn);

describe('a probe’s datagrams', () => {
  test('have the layout that is written down', () => {
    const bytes = codec.encode({ sequence: 2 ** 40 + 5, sentAtNs: 7 });
    expect(bytes).toHaveLength(64);
    expect(bytes.toString('hex', 0, 28)).toBe('554550310123456789abcdef00000100000000050000000000000007');
  });

  test('are read back as they were written, at either end of every range', () => {
    for (const sizeBytes of [HEADER_BYTES, 33, 65_507]) {
      const other = new ProbeCodec(sizeBytes, 2n ** 64n - 1n);
      for (const sequence of [0, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
        const sentAtNs = Number.MAX_SAFE_INTEGER - sequence;
        expect(other.decode(other.encode({ sequence, sentAtNs }))).toEqual({ kind: 'intact', sequence, sentAtNs });
      }
    }
  });

  test('any single bit that changes on the way is noticed', () => {
    const bytes = codec.encode({ sequence: 3, sentAtNs: 4 });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codec.decode(damaged), `bit ${bit}`).toEqual({ kind: 'corrupted' });
    }
  });

  test('one that was cut short or made longer is corrupted, at every length', () => {
    const bytes = Buffer.concat([codec.encode({ sequence: 3, sentAtNs: 4 }), Buffer.alloc(8)]);
    for (let length = 0; length <= bytes.length; length++) {
      if (length === 64) continue;
      expect(codec.decode(bytes.subarray(0, length)), `${length} bytes`).toEqual({ kind: 'corrupted' });
    }
  });

  test('those of another run are strays, and no two of one run are alike', () => {
    const other = new ProbeCodec(64, 1n);
    expect(codec.decode(other.encode({ sequence: 0, sentAtNs: 0 }))).toEqual({ kind: 'stray' });
    const all = Array.from({ length: 300 }, (_, sequence) => codec.encode({ sequence, sentAtNs: 0 }).toString('hex'));
    expect(new Set(all).size).toBe(300);
  });
});
