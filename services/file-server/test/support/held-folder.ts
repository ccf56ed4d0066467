/** A new folder for each test of a file, held open as the calls of the system want it. */
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export interface HeldFolder {
  home: string;
  descriptor: number;
}

/** To be called once, at the top of the file; what it returns is filled before each test. */
export function heldFolder(): Readonly<HeldFolder> {
  const held: HeldFolder = { home: '', descriptor: -1 };
  beforeEach(async () => {
    held.home = await mkdtemp(join(tmpdir(), 'small-servers-'));
    held.descriptor = openSync(held.home, constants.O_RDONLY | constants.O_DIRECTORY);
  });
  afterEach(async () => {
    closeSync(held.descriptor);
    await rm(held.home, { recursive: true });
  });
  return held;
}
