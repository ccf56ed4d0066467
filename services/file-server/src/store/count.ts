/** How much the files of the root take together. */
import { kindOf, protocolSize } from './entries.ts';
import { hiddenName } from './names.ts';
import type { FileOperations } from './operations.ts';
import type { Root } from './root.ts';

const HIDDEN = hiddenName.toString('latin1');

export interface CountingHost {
  readonly root: Root;
  readonly operations: FileOperations;
}

/**
 * Adds up the sizes of all files, without following links. What goes away meanwhile, or is closed to us, counts as
 * nothing. Directories wait in a list for their turn, so that no more than one is open however deep the tree is.
 */
export async function countBytes({ root, operations }: CountingHost): Promise<number> {
  let total = 0;
  const waiting: (readonly Buffer[])[] = [[]];
  for (let names = waiting.pop(); names !== undefined; names = waiting.pop()) {
    try {
      total += await countDirectory(root, operations, names, waiting);
    } catch (error) {
      // The root must be readable. Of the others each may be gone by now.
      if (names.length === 0) throw error;
    }
  }
  return total;
}

async function countDirectory(
  root: Root,
  operations: FileOperations,
  names: readonly Buffer[],
  waiting: (readonly Buffer[])[],
): Promise<number> {
  const place = await root.directory(names);
  let total = 0;
  try {
    for await (const text of operations.names(place.itself)) {
      if (names.length === 0 && text === HIDDEN) continue;
      const name = Buffer.from(text, 'latin1');
      const path = [...names, name];
      const cached = root.lookCached(path);
      const stats = cached === 'unknown' ? await root.lookFrom(place, name) : cached;
      if (stats === undefined) continue;
      const kind = kindOf(stats);
      if (kind === 'directory') waiting.push(path);
      else if (kind === 'file') total = Math.min(total + protocolSize(stats.size), Number.MAX_SAFE_INTEGER);
    }
  } finally {
    place.close();
  }
  return total;
}
