import { describe, expect, it } from 'vitest';
import { FixedDecoder, FixedEncoder } from '../../src/framing/fixed.ts';
import { bytes, codeOf, everySplit, outcome } from './support.ts';

describe('fixed', () => {
  it('reads stamps that were sent back to back, however they were split and joined', () => {
    const stamps = ['2026-11-20 10:00:00', '2026-11-20 10:00:01', '2026-11-20 10:00:02'];
    for (const split of everySplit(57)) {
      expect(outcome(new FixedDecoder({ frameBytes: 19 }), bytes(stamps.join('')), split)).toMatchObject({
        frames: stamps.map((stamp) => bytes(stamp).toString('hex')),
        fault: undefined,
      });
    }
  });

  it('says how much of a cut frame came', () => {
    const decoder = new FixedDecoder({ frameBytes: 19 });
    decoder.push(bytes('2026-11-20'));
    expect(() => decoder.end()).toThrow('frame 0: the stream ended after 10 bytes of it, at least 19 were expected');
  });

  it('encodes payloads of its size and no others', () => {
    const encoder = new FixedEncoder({ frameBytes: 3 });
    expect(encoder.encode(bytes('abc'))).toEqual([bytes('abc')]);
    for (const payload of ['ab', 'abcd']) {
      expect(codeOf(() => encoder.encode(bytes(payload)))).toBe('FRAME_UNENCODABLE');
    }
  });

  it('refuses a size that is none', () => {
    for (const frameBytes of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
      expect(codeOf(() => new FixedDecoder({ frameBytes }))).toBe('FRAMING_OPTION');
      expect(codeOf(() => new FixedEncoder({ frameBytes }))).toBe('FRAMING_OPTION');
    }
  });
});
