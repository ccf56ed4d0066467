import { aessiv } from '@noble/ciphers/aes.js';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../test/support/ntp-simulator.ts';
import { open, seal } from '../../src/nts/aead.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('RFC 5297, appendix A', () => {
  test('A.1: deterministic, one component', () => {
    const key = hex('fffefdfc fbfaf9f8 f7f6f5f4 f3f2f1f0 f0f1f2f3 f4f5f6f7 f8f9fafb fcfdfeff');
    const ad = hex('10111213 14151617 18191a1b 1c1d1e1f 20212223 24252627');
    const sealed = seal(key, [ad], hex('11223344 55667788 99aabbcc ddee'));
    expect(sealed).toEqual(hex('85632d07 c6e8f37f 950acd32 0a2ecc93 40c02b96 90c4dc04 daef7f6a fe5c'));
    expect(open(key, [ad], sealed)).toEqual(hex('11223344 55667788 99aabbcc ddee'));
  });

  test('A.2: nonce-based, two components and a nonce', () => {
    const key = hex('7f7e7d7c 7b7a7978 77767574 73727170 40414243 44454647 48494a4b 4c4d4e4f');
    const ad1 = hex('00112233 44556677 8899aabb ccddeeff deaddada deaddada ffeeddcc bbaa9988 77665544 33221100');
    const ad2 = hex('10203040 50607080 90a0');
    const nonce = hex('09f91102 9d74e35b d84156c5 635688c0');
    const plaintext = hex(
      '74686973 20697320 736f6d65 20706c61 696e7465 78742074 6f20656e 63727970 74207573 696e6720 5349562d 414553',
    );
    const sealed = hex(`
      7bdb6e3b 432667eb 06f4d14b ff2fbd0f cb900f2f ddbe4043 26601965 c889bf17
      dba77ceb 094fa663 b7a3f748 ba8af829 ea64ad54 4a272e9c 485b62a3 fd5c0d`);
    expect(seal(key, [ad1, ad2, nonce], plaintext)).toEqual(sealed);
    expect(open(key, [ad1, ad2, nonce], sealed)).toEqual(plaintext);
  });
});

describe('beside another implementation', () => {
  const random = seededRandom(8);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));

  test('300 random cases come out the same both ways, the empty plaintext among them', () => {
    for (let run = 0; run < 300; run++) {
      const key = bytes(32);
      const associated = [bytes(1 + Math.floor(random() * 300)), bytes(16)];
      const plaintext = bytes(run % 5 === 0 ? 0 : Math.floor(random() * 200));
      const theirs = aessiv(key, ...associated).encrypt(plaintext);
      expect(Buffer.compare(seal(key, associated, plaintext), theirs)).toBe(0);
      expect(Buffer.compare(open(key, associated, theirs) ?? Buffer.from('refused'), plaintext)).toBe(0);
    }
  });

  test('any bit that was changed, in ciphertext, tag or associated data, is noticed', () => {
    const key = bytes(32);
    const associated = [bytes(50), bytes(16)] as const;
    const sealed = seal(key, associated, bytes(40));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(open(key, associated, changed)).toBeUndefined();
    }
    const [first, nonce] = associated;
    expect(open(key, [first.subarray(1), nonce], sealed)).toBeUndefined();
    expect(open(key, [nonce, first], sealed)).toBeUndefined();
    expect(open(key, associated, sealed.subarray(0, 15))).toBeUndefined();
  });
});
