/** Small files that are in memory: answered in the turn that asks for them, several in a write, and in their place. */
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../test/support/splits.ts';
import { decodePath } from '../src/protocol/path.ts';
import type { OpenedFile } from '../src/store/store.ts';
import { MemoryStore } from './support/memory-store.ts';
import { Wire } from './support/wire.ts';

const sizes: Readonly<Record<string, number>> = { none: 0, one: 1, some: 1_000, most: 64 * 1024, large: 64 * 1024 + 1 };

/** A store that has its files at once where it can, but for those that it is told not to. */
async function storeInMemory(slow: ReadonlySet<string> = new Set()): Promise<MemoryStore> {
  const store = new MemoryStore();
  const ready = new Map<string, OpenedFile>();
  for (const [name, sizeBytes] of Object.entries(sizes)) {
    const content = seededBytes(sizeBytes, sizeBytes);
    store.put(name, content);
    const file = await store.open(decodePath(name));
    // As the kernel: a file without a byte is one of which nobody knows.
    const readWholeNow = (target: Uint8Array): boolean =>
      content.length > 0 && !slow.has(name) && content.copy(target) === content.length;
    ready.set(name, { ...file, readWholeNow });
  }
  return Object.assign(store, { openNow: ({ text }: { text: string }) => ready.get(text) });
}

/** What is answered to an input, and in how many writes. */
async function answer(store: MemoryStore, input: string): Promise<{ output: Buffer; writes: number }> {
  const wire = new Wire(store);
  const write = wire.write.bind(wire);
  let writes = 0;
  wire.write = (bytes, done) => {
    if (bytes.length > 0) writes += 1;
    write(bytes, done);
  };
  wire.send(input);
  for (let round = 0; round < 10; round += 1) await wire.settle();
  return { output: wire.rawOutput, writes };
}

describe('small files that are in memory', () => {
  test('mixed with all else, each answer is the one that a store without them gives, in the same order', async () => {
    const store = await storeInMemory();
    const etagOf = async (name: string): Promise<string> => (await store.stat(decodePath(name))).etag;
    const lines = ['PING', 'STAT some', 'GET missing', 'GET some if=other', 'GET some len=3', 'CAT'];
    for (const name of Object.keys(sizes)) {
      lines.push(`GET ${name}`, `GET ${name} if=${await etagOf(name)}`, `GET ${name} ifnot=${await etagOf(name)}`);
    }
    // Every line next to many others, in both orders.
    const input = [...lines, ...lines.toReversed(), ...lines].map((line) => `${line}\n`).join('');
    const { output } = await answer(store, input);
    const slowly = await answer(Object.assign(store, { openNow: undefined }), input);
    expect(output.length).toBeGreaterThan(10 * 64 * 1024);
    expect(output.equals(slowly.output)).toBe(true);
  });

  test('the first of a turn goes at once, and the others in one write, with if= as without', async () => {
    const store = await storeInMemory();
    const { etag } = await store.stat(decodePath('some'));
    const plain = await answer(store, 'GET some\n'.repeat(10));
    const conditional = await answer(store, `GET some if=${etag}\n`.repeat(10));
    expect([plain.writes, conditional.writes]).toEqual([2, 2]);
    expect(conditional.output.equals(plain.output)).toBe(true);
  });

  test('one that can not be read at once, in the middle of others, keeps its place', async () => {
    const input = 'GET one\nGET some\nGET one\nPING\nGET some\n';
    const quick = await answer(await storeInMemory(), input);
    const mixed = await answer(await storeInMemory(new Set(['some'])), input);
    expect(quick.output.includes('OK\r\nDATA')).toBe(true);
    // Etags and times are of the store; all else is the same.
    const settled = ({ output }: { output: Buffer }): string =>
      output.toString('latin1').replaceAll(/(etag|mtime)=\S+/g, '$1=*');
    expect(settled(mixed)).toBe(settled(quick));
  });
});
