import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DigestMaker, DigestState } from '../../src/store/running-digest.ts';
import { isDigestState } from '../../src/store/running-digest.ts';
import { chooseSha256, isSound } from '../../src/store/sha256.ts';
import { portableSha256 } from '../../src/store/sha256-portable.ts';
import { bytesOf, sha256 } from './support/roots.ts';

const chosen = chooseSha256(process);
const makers: readonly (readonly [string, DigestMaker])[] = [
  ['portable', portableSha256],
  [chosen.native ? 'openssl' : 'portable again', chosen.maker],
];

describe.each(makers)('%s', (_, maker) => {
  test('every length around one, two and three blocks', () => {
    for (let length = 0; length <= 200; length++) {
      const bytes = bytesOf(length, length + 1);
      const digest = maker();
      digest.update(bytes);
      expect(digest.finish()).toBe(sha256(bytes));
    }
  });

  test('a message of FIPS 180-4, and none at all', () => {
    const digest = maker();
    digest.update(Buffer.from('abc'));
    expect(digest.finish()).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(maker().finish()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('megabytes, which OpenSSL takes in its widest steps', () => {
    const bytes = bytesOf(3 * 1024 * 1024 + 5);
    const digest = maker();
    digest.update(bytes);
    expect(digest.finish()).toBe(sha256(bytes));
  });

  test('the count of bits goes beyond 32 bits', () => {
    // Nothing else starts at a state that is 5 GiB away, so the two makers are held against each other.
    const start = portableSha256();
    start.update(bytesOf(64));
    const far: DigestState = { ...start.save(), totalBytes: 5 * 1024 ** 3 };
    const [digest, other] = [maker(far), portableSha256(far)];
    for (const one of [digest, other]) one.update(Buffer.from('end'));
    expect(digest.save()).toEqual(other.save());
    expect(digest.save().totalBytes).toBe(far.totalBytes + 3);
    expect(digest.finish()).toBe(other.finish());
  });
});

test('put away and taken up anywhere, by either of the two, it is the digest of the whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 1 }), fc.boolean()), { maxLength: 8 }),
      (pieces) => {
        let digest = portableSha256();
        for (const [bytes, which, pause] of pieces) {
          digest.update(bytes);
          if (!pause) continue;
          const state = JSON.parse(JSON.stringify(digest.save())) as DigestState;
          expect(isDigestState(state)).toBe(true);
          digest = (which === 0 ? portableSha256 : chosen.maker)(state);
        }
        expect(digest.finish()).toBe(sha256(Buffer.concat(pieces.map(([bytes]) => bytes))));
      },
    ),
    { seed: 7 },
  );
});

test('a digest in another layout than ours is found out before it is used', () => {
  expect(isSound(portableSha256)).toBe(true);
  const forgetful: DigestMaker = () => portableSha256();
  expect(isSound(forgetful)).toBe(false);
  const garbled: DigestMaker = (from) => {
    const digest = portableSha256(from);
    return { update: (bytes) => digest.update(bytes), finish: () => digest.finish(), save: () => ({}) as DigestState };
  };
  expect(isSound(garbled)).toBe(false);
});

test('without node:ffi the portable one is chosen', () => {
  const { maker, native } = chooseSha256({
    platform: 'darwin',
    arch: 'arm64',
    getBuiltinModule: process.getBuiltinModule,
    emitWarning: process.emitWarning,
  });
  expect(native).toBe(false);
  expect(maker).toBe(portableSha256);
});

test.each([
  undefined,
  {},
  { words: 'f'.repeat(63), totalBytes: 0, tail: '' },
  { words: 'f'.repeat(64), totalBytes: -64, tail: '' },
  { words: 'f'.repeat(64), totalBytes: 65, tail: '' },
  { words: 'f'.repeat(64), totalBytes: 64, tail: '00' },
  { words: 'F'.repeat(64), totalBytes: 0, tail: '' },
])('%j is no state', (value) => {
  expect(isDigestState(value)).toBe(false);
});
