import { describe, expect, test } from 'vitest';
import {
  Admission,
  admissionLimits,
  connectionsForDescriptors,
  RESERVED_DESCRIPTORS,
} from '../../src/server/admission.ts';

describe('admissionLimits', () => {
  test('a limit that fits below the open files is the one that is named', () => {
    expect(admissionLimits({ maxConnections: 10, maxConnectionsPerSource: 3 }, 1024)).toEqual({
      maxConnections: 10,
      maxConnectionsReason: 'max-connections',
      maxConnectionsPerSource: 3,
    });
  });

  test.each([
    ['off', 0],
    ['more than fit', 5000],
    ['exactly what fits', 1024 - RESERVED_DESCRIPTORS],
  ])('a limit that is %s becomes what the open files allow', (_what, maxConnections) => {
    expect(admissionLimits({ maxConnections, maxConnectionsPerSource: 0 }, 1024)).toMatchObject({
      maxConnections: 1024 - RESERVED_DESCRIPTORS,
      maxConnectionsReason: 'fd-limit',
    });
  });

  test('where a connection takes several descriptors, so many fewer connections fit', () => {
    expect(connectionsForDescriptors(1024, 3)).toBe(Math.floor((1024 - RESERVED_DESCRIPTORS) / 3));
    expect(connectionsForDescriptors(Number.POSITIVE_INFINITY, 3)).toBe(Number.POSITIVE_INFINITY);
    expect(admissionLimits({ maxConnections: 400, maxConnectionsPerSource: 0 }, 1024, 3)).toMatchObject({
      maxConnections: 330,
      maxConnectionsReason: 'fd-limit',
    });
    expect(admissionLimits({ maxConnections: 300, maxConnectionsPerSource: 0 }, 1024, 3)).toMatchObject({
      maxConnections: 300,
      maxConnectionsReason: 'max-connections',
    });
  });

  test('there is room for one connection even where nearly no files may be open', () => {
    expect(connectionsForDescriptors(8)).toBe(1);
  });

  test('without any limit of the system the one that was set holds', () => {
    const limits = admissionLimits({ maxConnections: 7, maxConnectionsPerSource: 0 }, Number.POSITIVE_INFINITY);
    expect(limits).toMatchObject({ maxConnections: 7, maxConnectionsReason: 'max-connections' });
  });
});

describe('Admission', () => {
  const limits = { maxConnections: 3, maxConnectionsReason: 'max-connections', maxConnectionsPerSource: 2 } as const;

  test('each place that is left can be taken again, by any source', () => {
    const admission = new Admission(limits);
    expect(['a', 'a', 'a', 'b', 'c'].map((source) => admission.enter(source))).toEqual([
      undefined,
      undefined,
      'max-connections-per-source',
      undefined,
      'max-connections',
    ]);
    expect(admission.open).toBe(3);
    admission.leave('a');
    expect(admission.enter('a')).toBeUndefined();
    for (const source of ['a', 'a', 'b']) admission.leave(source);
    expect(admission.open).toBe(0);
    expect(admission.enter('c')).toBeUndefined();
  });
});
