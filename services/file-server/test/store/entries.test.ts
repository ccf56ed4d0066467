import { lstatSync, mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entryPairs } from '../../src/protocol/reply.ts';
import { DigestCache, etagOf, kindOf } from '../../src/store/entries.ts';
import { residenceOf, settledAfterMs } from '../../src/store/file-systems.ts';
import { temporaryDirectory } from './support/roots.ts';

test('an etag changes with the file, its size and its times, and not by itself', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a');
  const now = () => etagOf(lstatSync(path, { bigint: true }));
  writeFileSync(path, '1');
  const seen = [now()];
  expect(now()).toBe(seen[0]);
  writeFileSync(path, '22');
  seen.push(now());
  writeFileSync(join(directory, 'b'), '22');
  renameSync(join(directory, 'b'), path);
  seen.push(now());
  // Also from before 1970.
  utimesSync(path, -5, -5);
  seen.push(now());
  expect(new Set(seen).size).toBe(seen.length);
  for (const etag of seen) expect(etag).toMatch(/^[0-9a-f]{16}$/);
});

test('a file that is rewritten with its old times set back has another etag all the same', () => {
  const path = join(temporaryDirectory(), 'a');
  writeFileSync(path, '1');
  utimesSync(path, 1000, 1000);
  const before = lstatSync(path, { bigint: true });
  // The clock of the file system moves in steps: until it has.
  do {
    writeFileSync(path, '2');
    utimesSync(path, 1000, 1000);
  } while (lstatSync(path, { bigint: true }).ctimeNs === before.ctimeNs);
  expect(etagOf(lstatSync(path, { bigint: true }))).not.toBe(etagOf(before));
});

test('a size and a time beyond what the protocol can write are told as the nearest that it can', () => {
  const path = join(temporaryDirectory(), 'a');
  writeFileSync(path, '1');
  const told = (size: bigint, mtimeNs: bigint) => {
    const entry = new DigestCache(1).entry(Object.assign(lstatSync(path, { bigint: true }), { size, mtimeNs }));
    const { size: sizeText, mtime } = entryPairs(entry);
    return `${sizeText} ${mtime}`;
  };
  // A sparse file, and the farthest time, that tmpfs takes.
  expect(told(2n ** 63n - 1n, 2n ** 63n * 1_000_000_000n)).toBe('9007199254740991 +275760-09-13T00:00:00.000Z');
  expect(told(1n, -(2n ** 63n) * 1_000_000_000n)).toBe('1 -271821-04-20T00:00:00.000Z');
});

test('kinds', () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'd'));
  writeFileSync(join(directory, 'f'), '');
  const kind = (path: string) => kindOf(statSync(path, { bigint: true }));
  expect([kind(join(directory, 'd')), kind(join(directory, 'f')), kind('/dev/null')]).toEqual([
    'directory',
    'file',
    'other',
  ]);
});

test('of the digests the one that was not asked for longest is forgotten', () => {
  const digests = new DigestCache(2);
  digests.set('a', '1');
  digests.set('b', '2');
  expect(digests.get('a')).toBe('1');
  digests.set('c', '3');
  expect([digests.get('a'), digests.get('b'), digests.get('c')]).toEqual(['1', undefined, '3']);
});

test('what a network or a coarse clock stands behind is not taken for local', () => {
  // NFS, FUSE and FAT; signed, as some systems give CIFS; ext4.
  for (const type of [0x6969, 0x65735546, 0x4d44, 0xff534d42 | 0]) expect(residenceOf(type)).toBe('other');
  if (process.platform === 'linux') expect(residenceOf(0xef53)).toBe('local');
  expect(settledAfterMs('other')).toBeGreaterThan(2000);
});
