/** Stores over directories that are made for one test and removed after it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { FileErrorCode } from '../../../src/protocol/codes.ts';
import { decodePath, type FilePath } from '../../../src/protocol/path.ts';
import { type DiskStore, type DiskStoreOptions, openDiskStore } from '../../../src/store/disk-store.ts';
import { type NativeFiles, openNativeFiles } from '../../../src/store/native-files.ts';
import { type FileOperations, realOperations, remoteOperations } from '../../../src/store/operations.ts';
import type { Entry, FileStore, Precondition } from '../../../src/store/store.ts';

export { bytesOf } from './bytes.ts';

export const none: Precondition = { kind: 'none' };
export const any: Precondition = { kind: 'any' };
export const etag = (value: string): Precondition => ({ kind: 'etag', etag: value });

export const at = (path: string): FilePath => decodePath(path);
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function temporaryDirectory(under = tmpdir()): string {
  const directory = mkdtempSync(join(under, 'file-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A directory with an empty `root` in it, so that there is an outside. */
export function rootWithOutside(under?: string): { root: string; outside: string } {
  const directory = temporaryDirectory(under);
  const root = join(directory, 'root');
  const outside = join(directory, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  return { root, outside };
}

const defaults = {
  writable: true,
  maxFileBytes: 0,
  maxTotalBytes: 0,
  keepPartialMs: 86_400_000,
  maxKeptPartials: 100,
  holderIdleMs: 5000,
  maxDigests: 1000,
};

export type StoreOptions = Partial<DiskStoreOptions>;

export async function openStore(root: string, options: StoreOptions = {}): Promise<DiskStore> {
  const store = await openDiskStore({ ...defaults, root, ...options });
  onTestFinished(() => store.close());
  return store;
}

/** No /proc, as on systems that are no Linux. */
export const withoutProc: FileOperations = {
  ...remoteOperations,
  open: async (path, flags, mode) => {
    if (path.toString('latin1').startsWith('/proc/')) {
      throw Object.assign(new Error('ENOENT: there is no /proc'), { code: 'ENOENT', syscall: 'open' });
    }
    return realOperations.open(path, flags, mode);
  },
};

/** tmpfs for certain, where there is one. */
export const memoryDirectory =
  existsSync('/dev/shm') && statfsSync('/dev/shm').type === 0x01021994 ? '/dev/shm' : undefined;

export interface Way {
  readonly name: string;
  readonly options: StoreOptions;
  readonly under?: string | undefined;
}

function namedOnly(descriptor: number): NativeFiles | undefined {
  const native = openNativeFiles(process, descriptor, true);
  return native && { ...native, unnamed: undefined };
}

/** Each way in which a store may work, on whatever machine it finds itself. */
export const ways: readonly Way[] = [
  { name: 'openat2', options: {} },
  { name: 'walk', options: { nativeFor: () => undefined } },
  { name: 'look-before-and-after', options: { operations: withoutProc } },
  { name: 'in memory', options: {}, under: memoryDirectory },
  { name: 'in memory, without files that have no name', options: { nativeFor: namedOnly }, under: memoryDirectory },
];

/** As a session does it. */
export async function put(
  store: FileStore,
  path: string,
  content: Uint8Array | string,
  precondition: Precondition = none,
): Promise<Entry> {
  const bytes = Buffer.from(content);
  const request = { path: at(path), sizeBytes: bytes.length, precondition };
  const done = store.putNow?.(request, bytes);
  if (done !== undefined) return done.entry;
  const upload = await store.createUpload(request);
  await upload.write(bytes);
  return upload.commit();
}

export async function contentOf(store: FileStore, path: string): Promise<Buffer> {
  const file = await store.open(at(path));
  try {
    const content = Buffer.alloc(file.entry.sizeBytes);
    let length = 0;
    for (;;) {
      const read = await file.read(content.subarray(length), length);
      length += read;
      if (read === 0 || length === content.length) return content.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

export async function namesIn(store: FileStore, path: string, depth = 1): Promise<string[]> {
  const { entries } = await store.list(at(path), { limit: 1000, depth });
  return entries.map((entry) => entry.path.text);
}

/** What is in the store's own directory, by the ends of the names. */
export function leftovers(root: string): string[] {
  const hidden = join(root, '.small-servers');
  return existsSync(hidden) ? readdirSync(hidden).sort() : [];
}

export function contentIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
}

export async function expectRefusal(request: Promise<unknown>, code: FileErrorCode): Promise<void> {
  await expect(request).rejects.toMatchObject({ name: 'FileError', code });
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
