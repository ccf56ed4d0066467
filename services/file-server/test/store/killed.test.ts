/** A process that is really killed, and what the next one makes of what it left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import { isOpen, openInstance } from '../../src/store/instance.ts';
import { bytesOf, contentOf, expectRefusal, leftovers, openStore, rootWithOutside } from './support/roots.ts';

const MiB = 1024 * 1024;

async function uploading(root: string): Promise<{ id: string; durableBytes: number; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'support/uploader.ts'), root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const [id = '', durable] = line.split(' ');
    if (Number(durable) === 0) continue;
    return {
      id,
      durableBytes: Number(durable),
      kill: async () => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  }
  throw new Error('the process ended by itself');
}

test.each([
  ['the one that runs beside it', async (beside: DiskStore) => beside],
  [
    'one that starts later',
    async (beside: DiskStore, root: string) => {
      await beside.close();
      const store = await openStore(root);
      expect(store.describe()).toMatchObject({ keptPartials: 1, removedPartials: 0 });
      return store;
    },
  ],
])(
  'what a killed process had brought to disk is gone on with by %s, and is BUSY as long as it lives',
  async (_, next) => {
    const { root } = rootWithOutside();
    const older = await uploading(root);
    const beside = await openStore(root);
    await expectRefusal(beside.resumeUpload(older.id), 'BUSY');
    await older.kill();
    const store = await next(beside, root);
    const upload = await store.resumeUpload(older.id);
    expect(upload.durableBytes).toBeGreaterThanOrEqual(older.durableBytes);
    const content = bytesOf(8 * MiB, 9);
    await upload.write(content.subarray(upload.durableBytes));
    await upload.commit();
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
    expect(leftovers(root)).toEqual([]);
  },
);

test('an instance is open until it is closed, and a process that never was is not', () => {
  const instance = openInstance();
  expect(isOpen(instance.name)).toBe(true);
  const [pid, start] = instance.name.split('-');
  expect(isOpen(`${pid}-${start}-00000000`)).toBe(false);
  expect(isOpen(`${pid}-1-00000000`)).toBe(false);
  instance.close();
  expect(isOpen(instance.name)).toBe(false);
  // Of another user as well: pid 1.
  if (process.platform === 'linux') expect(isOpen('1-0-00000000')).toBe(false);
  expect(isOpen('4194305-1-00000000')).toBe(false);
});
