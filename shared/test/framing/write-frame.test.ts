import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LengthFieldEncoder } from '../../src/framing/length-field.ts';
import { writeFrame } from '../../src/framing/write-frame.ts';
import { bytes } from './support.ts';

describe('writeFrame', () => {
  it('lets header and payload leave in one write, neither copied', () => {
    const writes: Uint8Array[][] = [];
    const stream = new Writable({
      writev(chunks, callback) {
        writes.push(chunks.map(({ chunk }) => chunk));
        callback();
      },
    });
    const payload = bytes('hello');
    expect(writeFrame(stream, new LengthFieldEncoder({ lengthBytes: 2 }).encode(payload))).toBe(true);
    expect(writes).toEqual([[bytes('\0\x05'), payload]]);
    expect(writes[0]?.[1]?.buffer).toBe(payload.buffer);
  });

  it('says when to wait', () => {
    const stream = new Writable({ highWaterMark: 4, write: () => {} });
    expect(writeFrame(stream, [bytes('hello')])).toBe(false);
  });
});
