/**
 * What a store does on a disk that is really full. Run in a mount namespace of its own:
 *
 *   unshare -rm sh -c 'mount -t tmpfs -o size=4m tmpfs DIR && exec node full-disk.ts DIR'
 *
 * Prints what happened as one line of JSON.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePath as at } from '../../../src/protocol/path.ts';
import { type DiskStoreOptions, openDiskStore } from '../../../src/store/disk-store.ts';
import { realOperations } from '../../../src/store/operations.ts';

const [root = ''] = process.argv.slice(2);
const options: DiskStoreOptions = {
  root,
  writable: true,
  maxFileBytes: 0,
  maxTotalBytes: 0,
  keepPartialMs: 60_000,
  maxKeptPartials: 10,
  holderIdleMs: 1000,
  maxDigests: 10,
};

const MiB = 1024 * 1024;
const results: Record<string, unknown> = {};

async function codeOf(request: () => Promise<unknown>): Promise<string> {
  try {
    await request();
    return 'OK';
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

for (const operations of [undefined, realOperations]) {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  const store = await openDiskStore(operations === undefined ? options : { ...options, operations });
  const put = async (path: string, bytes: number, announced: boolean): Promise<void> => {
    const sizeBytes = announced ? bytes : undefined;
    const upload = await store.createUpload({ path: at(path), sizeBytes, precondition: { kind: 'any' } });
    const piece = Buffer.alloc(100_000, 0x61);
    for (let sent = 0; sent < bytes; sent += piece.length) await upload.write(piece.subarray(0, bytes - sent));
    await upload.commit();
  };
  const way = operations === undefined ? 'memory' : 'threads';
  await put('old', 1000, true);
  results[`${way}: too large, and said so`] = await codeOf(() => put('old', 5 * MiB, true));
  results[`${way}: too large, and not said`] = await codeOf(() => put('old', 5 * MiB, false));
  results[`${way}: two that do not fit together`] = (
    await Promise.all(['x', 'y'].map((path) => codeOf(() => put(path, 3 * MiB, true))))
  ).sort();
  for (const path of ['x', 'y']) rmSync(join(root, path), { force: true });
  // Filled up by somebody else, to the last byte.
  mkdirSync(join(root, 'others'));
  try {
    for (let index = 0; ; index++) writeFileSync(join(root, 'others', `${index}`), Buffer.alloc(4096));
  } catch {
    // Full.
  }
  results[`${way}: small, on a full disk`] = await codeOf(() => put('small', 10_000, true));
  results[`${way}: left behind`] = readdirSync(root)
    .concat(readdirSync(join(root, '.small-servers')))
    .sort();
  results[`${way}: the old file`] = readFileSync(join(root, 'old')).length;
  rmSync(join(root, 'others'), { recursive: true });
  results[`${way}: small, with room again`] = await codeOf(() => put('small', 10_000, true));
  await store.close();
}
process.stdout.write(`${JSON.stringify(results)}\n`);
