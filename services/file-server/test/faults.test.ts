/** Transfers over a path that cuts, stalls and slows them, by a seeded plan: what arrives is what was sent, every time. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../test/support/splits.ts';
import { get, put } from './client/harness.ts';
import { type Direction, openFaultRelay, seededPlan } from './support/fault-relay.ts';
import { TestServer } from './support/server.ts';

const FILE_BYTES = 5_000_003;
/** Faults come early and late in a connection, and most of them in the middle of content. */
const plan = { faults: 8, withinBytes: 2_000_000 };
/** A file needs so many connections at least: the one that asks for it, and after each cut and stall another. */
const LEAST_CONNECTIONS = 4;

/** Both ends give up on a silent connection soon, and the client comes back often enough for every fault of a plan. */
const flags = { timeout: '300ms', retries: '20' };
const serverSettings = { stallTimeoutMs: 300 };

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'faults-')));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** The server, and the path to it with the faults of a seed. */
async function openServer(seed: number, direction: Direction) {
  const server = await TestServer.start(serverSettings);
  const relay = await openFaultRelay({ port: server.port, plan: seededPlan(seed, { ...plan, direction }) });
  return {
    server,
    relay,
    [Symbol.asyncDispose]: async () => {
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe.each([1, 2, 3])('a fault relay cuts, stalls and slows transfers; seed %d', (seed) => {
  const content = seededBytes(FILE_BYTES, seed);

  test('a fetched file has the same sha256, and no part of it is left over', async () => {
    await using faulty = await openServer(seed, 'down');
    await using here = await Folder.make();
    await writeFile(join(faulty.server.root, 'file'), content);
    const { code, stderr } = await get({ port: faulty.relay.port, path: 'file', local: here.at('file'), flags });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(sha256(await readFile(here.at('file')))).toBe(sha256(content));
    expect(await readdir(here.path)).toEqual(['file']);
    expect(faulty.relay.met.length).toBeGreaterThanOrEqual(LEAST_CONNECTIONS);
  });

  test('a stored file has the same sha256, and nothing is left of the uploads that were cut', async () => {
    await using faulty = await openServer(seed, 'up');
    await using here = await Folder.make();
    await writeFile(here.at('file'), content);
    const { code, stderr } = await put({ port: faulty.relay.port, path: 'file', local: here.at('file'), flags });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(sha256(await readFile(join(faulty.server.root, 'file')))).toBe(sha256(content));
    const files = await readdir(faulty.server.root, { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual(['file']);
    expect(faulty.relay.met.length).toBeGreaterThanOrEqual(LEAST_CONNECTIONS);
  });

  test('a folder of large and small files comes and goes whole', async () => {
    await using faulty = await openServer(seed, 'down');
    await using here = await Folder.make();
    const files = new Map([
      ['large', content],
      ['empty', Buffer.alloc(0)],
      ...Array.from({ length: 40 }, (_, index): [string, Buffer] => [
        `small-${index}`,
        content.subarray(index * 1000, index * 3000),
      ]),
    ]);
    await mkdir(join(faulty.server.root, 'from'));
    for (const [name, bytes] of files) await writeFile(join(faulty.server.root, 'from', name), bytes);
    const recursive = { ...flags, recursive: 'true' };
    const { port } = faulty.relay;
    const fetched = await get({ port, path: 'from', local: here.at('to'), flags: recursive });
    expect(fetched).toMatchObject({ code: 0, stderr: '' });
    const stored = await put({ port, path: 'back', local: here.at('to'), flags: recursive });
    expect(stored).toMatchObject({ code: 0, stderr: '' });
    for (const folder of [here.at('to'), join(faulty.server.root, 'back')]) {
      const found = await Promise.all(
        (await readdir(folder)).map(async (name) => [name, sha256(await readFile(join(folder, name)))] as const),
      );
      expect(new Map(found)).toEqual(new Map([...files].map(([name, bytes]) => [name, sha256(bytes)])));
    }
  });
});
