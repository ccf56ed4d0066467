import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FrameDecoder, ownFrame } from '../../src/framing/decoder.ts';
import { LengthFieldDecoder } from '../../src/framing/length-field.ts';
import { LinesDecoder } from '../../src/framing/lines.ts';
import { VarintDecoder, varintLength } from '../../src/framing/varint.ts';
import { bytes, forms } from './support.ts';

let collectGarbage: () => void;

beforeAll(() => {
  setFlagsFromString('--expose-gc');
  collectGarbage = runInNewContext('gc');
});

/** Bytes alive after a collection: objects, and the memory of buffers, which is counted apart. */
function alive(): { heap: number; buffers: number } {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}

const MIB = 1_048_576;

describe('memory', () => {
  it.each([
    ['lines', new LinesDecoder(), bytes('123456789\n')],
    ['varint', new VarintDecoder(), bytes('\x09123456789')],
    ['length field', new LengthFieldDecoder({ lengthBytes: 1 }), bytes('\x09123456789')],
  ])('is where it was after ten million small frames (%s)', (_name, decoder, frame) => {
    // 65,536 is no multiple of 10: nearly every chunk ends inside a frame.
    const stream = Buffer.concat(Array.from({ length: 65_536 }, () => frame));
    const chunks = Array.from({ length: 10 }, (_, i) => stream.subarray(i * 65_536, (i + 1) * 65_536));
    const before = alive();
    let frames = 0;
    for (let round = 0; frames < 10_000_000; round++) {
      for (const _frame of decoder.push(chunks[round % 10] as Buffer)) frames += 1;
    }
    const after = alive();
    expect(after.heap - before.heap).toBeLessThan(2 * MIB);
    expect(after.buffers - before.buffers).toBeLessThan(MIB);
    expect(decoder.bufferedBytes).toBeLessThan(10);
  });

  it.each([
    ['an owned frame', new LinesDecoder({ frames: 'owned' }), (frame: Buffer) => frame],
    ['a borrowed frame copied with ownFrame', new LinesDecoder(), ownFrame],
  ])('of a 64 KiB chunk is not held by %s of 10 bytes', (_name, decoder, keep) => {
    const before = alive();
    const kept: Buffer[] = [];
    for (let i = 0; i < 1_000; i++) {
      const chunk = Buffer.alloc(65_536, 'x');
      chunk.write('0123456789\n');
      chunk[65_535] = 0x0a;
      for (const frame of decoder.push(chunk)) if (frame.length === 10) kept.push(keep(frame));
    }
    expect(kept.length).toBe(1_000);
    expect(kept.every((frame) => frame.toString() === '0123456789')).toBe(true);
    // The chunks were 62 MiB.
    expect(alive().buffers - before.buffers).toBeLessThan(MIB);
  });

  it.each(forms)('is not taken for a length that is only declared, nor for bytes passed over ($name)', (form) => {
    const start = Buffer.concat(form.encoder.encode(Buffer.alloc(250, 'x'))).subarray(0, 100);
    const before = alive();
    const decoders: FrameDecoder[] = [];
    for (let i = 0; i < 500; i++) {
      const decoder = form.decoder({ maxFrameBytes: i % 2 === 0 ? 2 ** 30 : 50, oversized: 'skip' });
      decoder.push(start);
      decoders.push(decoder);
    }
    expect(decoders.length).toBe(500);
    expect(alive().buffers - before.buffers).toBeLessThan(500 * 512);
  });

  it('of a long frame is a limit and a chunk at most, and let go when small frames follow', () => {
    const before = alive();
    const decoder = new LinesDecoder({ maxFrameBytes: 8 * MIB });
    const chunk = Buffer.alloc(65_536, 'x');
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 127; i++) decoder.push(chunk);
      expect(alive().buffers - before.buffers).toBeLessThan(8 * MIB + 4 * chunk.length);
      decoder.push(bytes('\nxx'));
    }
    for (let i = 0; i < 4; i++) decoder.push(bytes('x\nx'));
    expect(alive().buffers - before.buffers).toBeLessThan(MIB);
    expect(decoder.bufferedBytes).toBe(1);
  });

  it.each([
    ['lines', new LinesDecoder({ maxFrameBytes: 8 * MIB }), Buffer.alloc(0), bytes('\n'), bytes('a command\n')],
    ['varint', new VarintDecoder({ maxFrameBytes: 8 * MIB }), varintLength(6_553_601), bytes('x'), bytes('\x01a')],
  ])('of a long frame is let go when no frame is cut any more (%s)', (_name, decoder, head, tail, small) => {
    const before = alive();
    decoder.push(head);
    for (let i = 0; i < 100; i++) decoder.push(Buffer.alloc(65_536, 'x'));
    expect([...decoder.push(tail)].length).toBe(1);
    expect(alive().buffers - before.buffers).toBeGreaterThan(6 * MIB);
    for (let i = 0; i < 2; i++) decoder.push(small);
    expect(alive().buffers - before.buffers).toBeLessThan(MIB);
  });
});
