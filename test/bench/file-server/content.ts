/** What is served: one large file and a tree of small ones, in memory where the machine has such a file system. */

import { createHash } from 'node:crypto';
import { accessSync, constants, createReadStream, mkdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import type { Placement } from '../support/cores.ts';
import { runLoad } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

/** Longer than the server waits until it takes a file for settled. */
const SETTLED_MS = 100;

export const LARGE_BYTES = 1024 ** 3;
export const TREE = { folders: 100, files: 100, bytes: 1024 } as const;
export const TREE_FILES = TREE.folders * TREE.files;

const MEMORY_FOLDER = '/dev/shm';

/** Names are paths below the root, as every protocol here spells them. */
export class Content implements Disposable {
  readonly #workspace: Workspace;
  readonly root: string;
  readonly description: string;
  readonly large = 'large';
  readonly tree = 'tree';
  /** Where uploads go. */
  readonly uploads = 'up';
  sha256 = '';

  private constructor(workspace: Workspace, description: string) {
    this.#workspace = workspace;
    this.description = description;
    this.root = workspace.path('root');
    mkdirSync(this.root);
    mkdirSync(this.downloads);
    this.clear();
  }

  static async make(load: string, workspace: Workspace, placement: Placement): Promise<Content> {
    const inMemory = isWritable(MEMORY_FOLDER);
    const content = inMemory
      ? new Content(new Workspace(MEMORY_FOLDER), `files on ${MEMORY_FOLDER}`)
      : new Content(new Workspace(), `files on ${tmpdir()}, which may be a disk`);
    const run = (...args: string[]) => runLoad(workspace, placement.load({ program: load, args }));
    await run('make', content.path(content.large), String(LARGE_BYTES));
    await run('make-tree', content.path(content.tree), ...[TREE.folders, TREE.files, TREE.bytes].map(String));
    const hash = createHash('sha256');
    await pipeline(createReadStream(content.path(content.large), { highWaterMark: 1024 ** 2 }), hash);
    content.sha256 = hash.digest('hex');
    return content;
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** Where clients put what they load: beside the root, on the same file system. */
  get downloads(): string {
    return this.#workspace.path('downloads');
  }

  /** The large file becomes another one for every cache that looks at times. */
  touchLarge(): void {
    const now = new Date();
    utimesSync(this.path(this.large), now, now);
    // Of a file that changed just now no digest is remembered: it may change again without its times telling.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLED_MS);
  }

  /** Removes what was uploaded and downloaded, and makes the folders for the next uploads. */
  clear(): void {
    for (const folder of [this.path(this.uploads), this.downloads]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(this.downloads);
    for (let index = 0; index < TREE.folders; index++) {
      mkdirSync(this.path(`${this.uploads}/${String(index).padStart(2, '0')}`), { recursive: true });
    }
  }

  [Symbol.dispose](): void {
    this.#workspace[Symbol.dispose]();
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
