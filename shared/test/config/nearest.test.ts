import { describe, expect, test } from 'vitest';
import { nearestName } from '../../src/config/nearest.ts';

const known = ['port', 'host', 'io', 'idle-timeout', 'max-connections', 'max-connections-per-source'];

describe('a mistyped name', () => {
  test.each([
    ['prot', 'port'],
    ['PORT', 'port'],
    ['hots', 'host'],
    ['idletimeout', 'idle-timeout'],
    ['idle-timout', 'idle-timeout'],
    ['max-conections', 'max-connections'],
    ['max-connections-per-sourc', 'max-connections-per-source'],
  ])('%s is taken for %s', (typed, meant) => expect(nearestName(typed, known)).toBe(meant));

  test.each(['', 'h', 'p', 'p1', '$0', 'zzzz', 'greeting', 'constructor', '__proto__', 'x'.repeat(65)])(
    '%j is near nothing',
    (typed) => expect(nearestName(typed, known)).toBeUndefined(),
  );

  test('the nearest wins, and of two as near the first', () => {
    expect(nearestName('port', ['ports', 'port'])).toBe('port');
    expect(nearestName('porx', ['ports', 'porty'])).toBe('ports');
  });
});
