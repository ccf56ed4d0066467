import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  BLOCK_BYTES,
  type Chunk,
  chunksFromEnd,
  chunksOf,
  chunksOfStream,
  LineAssembler,
  MAX_LINE_BYTES,
} from '../../src/logs/chunks.ts';
import { logFolder } from './support.ts';

const textOf = ({ buffer, start, end }: Chunk): string => buffer.toString('latin1', start, end);

function open(content: string): number {
  const fd = openSync(join(logFolder({ log: content }), 'log'), 'r');
  onTestFinished(() => closeSync(fd));
  return fd;
}

async function forward(content: string): Promise<string[]> {
  const found: string[] = [];
  const assembler = new LineAssembler();
  for await (const chunk of chunksOf(open(content), content.length, assembler)) found.push(textOf(chunk));
  return found;
}

const backward = (content: string): string[] => Array.from(chunksFromEnd(open(content), content.length), textOf);

/** Lines of many lengths: several blocks of them. */
function manyLines(bytes: number): string {
  const made: string[] = [];
  for (let size = 0, index = 0; size < bytes; index += 1) {
    const line = `${index} ${'x'.repeat((index * 37) % 1000)}\n`;
    made.push(line);
    size += line.length;
  }
  return made.join('');
}

describe('bytes in any pieces', () => {
  it('give the same lines wherever they are split', () => {
    const content = 'one\n\ntwo two\nthree\nrest';
    for (let split = 0; split <= content.length; split += 1) {
      const assembler = new LineAssembler();
      let text = '';
      for (const piece of [content.slice(0, split), content.slice(split)]) {
        const chunk = assembler.take(assembler.space().write(piece));
        if (chunk === undefined) continue;
        expect(textOf(chunk)).toMatch(/\n$/);
        text += textOf(chunk);
      }
      const rest = assembler.rest();
      expect([text, rest && textOf(rest)]).toEqual(['one\n\ntwo two\nthree\n', 'rest']);
    }
  });

  it('leave the last chunk as it is while the next block is written', () => {
    const assembler = new LineAssembler();
    const chunk = assembler.take(assembler.space().write('first\n'));
    assembler.space().write('second\n');
    expect(chunk && textOf(chunk)).toBe('first\n');
  });

  it('cut a line that is too long and go on with the next one', async () => {
    const content = `before\n${'y'.repeat(3 * BLOCK_BYTES)}\nafter\n`;
    const stream = async function* (): AsyncGenerator<Buffer> {
      for (let start = 0; start < content.length; start += 70_000)
        yield Buffer.from(content.slice(start, start + 70_000));
    };
    const chunks: { readonly text: string; readonly cut: boolean }[] = [];
    for await (const chunk of chunksOfStream(stream(), new LineAssembler()))
      chunks.push({ text: textOf(chunk), cut: chunk.cut });
    expect(chunks.map(({ cut }) => cut)).toEqual([false, true, false]);
    expect(chunks[0]?.text).toBe('before\n');
    expect(chunks[1]?.text).toMatch(/^y+$/);
    expect(chunks[1]?.text.length).toBeGreaterThanOrEqual(MAX_LINE_BYTES);
    expect(chunks[1]?.text.length).toBeLessThanOrEqual(MAX_LINE_BYTES + BLOCK_BYTES);
    expect(chunks[2]?.text).toBe('after\n');
  });
});

describe('a file', () => {
  it('of many blocks is read whole, in whole lines', async () => {
    const content = manyLines(3 * BLOCK_BYTES);
    const chunks = await forward(content);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.every((text) => text.endsWith('\n'))).toBe(true);
    expect(chunks.join('')).toBe(content);
  });

  it('is read no further than it is told', async () => {
    const found: string[] = [];
    for await (const chunk of chunksOf(open('one\ntwo\nthree\n'), 8, new LineAssembler())) found.push(textOf(chunk));
    expect(found).toEqual(['one\ntwo\n']);
  });

  it('can be read from its end: the same lines, the last chunk first', () => {
    for (const content of [manyLines(3 * BLOCK_BYTES), `${manyLines(1000)}rest`, 'one\n', 'one', '\n\n', '']) {
      const chunks = backward(content);
      expect(chunks.toReversed().join('')).toBe(content);
      expect(chunks.slice(1).every((text) => text.endsWith('\n'))).toBe(true);
    }
  });

  it('costs one small read for its last lines', () => {
    const [last] = backward(manyLines(3 * BLOCK_BYTES));
    expect(last?.length).toBeLessThanOrEqual(64 * 1024);
  });

  it('read from its end cuts a line that is too long', () => {
    const content = `before\n${'y'.repeat(3 * BLOCK_BYTES)}\nafter\n`;
    const chunks: { readonly text: string; readonly cut: boolean }[] = [];
    for (const chunk of chunksFromEnd(open(content), content.length))
      chunks.push({ text: textOf(chunk), cut: chunk.cut });
    expect(chunks.map(({ cut }) => cut)).toEqual([false, true]);
    expect(chunks[0]?.text).toBe('after\n');
    expect(chunks[1]?.text).toMatch(/^before\ny+$/);
  });
});
