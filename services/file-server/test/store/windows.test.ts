/** What is kept of readings of directories: how much of it, and what it says. */
import { expect, test } from 'vitest';
import { Windows } from '../../src/store/windows.ts';

const seen = (directory: string, settled = false) => ({ directory, stamp: 's', settled });

test('the names that are kept have a bound, and those used longest ago go first', () => {
  const windows = new Windows();
  const began = windows.moment();
  const names = Array.from({ length: 32 * 1024 }, (_, index) => `${index}`.padStart(5, '0'));
  const find = (directory: string): boolean => windows.find(seen(directory), '00000', began, 0) !== undefined;
  for (const directory of ['a', 'b', 'c', 'd']) {
    windows.keep({ names, more: true, seen: seen(directory), after: undefined, readAt: windows.moment(), readMs: 0 });
  }
  expect(find('a')).toBe(true);
  windows.keep({ names, more: true, seen: seen('e'), after: undefined, readAt: windows.moment(), readMs: 0 });
  expect(['a', 'b', 'c', 'd', 'e'].map(find)).toEqual([true, false, true, true, true]);
});

test('a window says nothing of names before its first, and of those behind its last only that there are none', () => {
  const windows = new Windows();
  const began = windows.moment();
  const keep = (directory: string, more: boolean): void =>
    windows.keep({ names: ['m', 'n'], more, seen: seen(directory), after: 'l', readAt: windows.moment(), readMs: 0 });
  keep('more', true);
  keep('all', false);
  const find = (directory: string, after?: string) => windows.find(seen(directory), after, began, 0);
  for (const directory of ['more', 'all']) {
    expect([find(directory), find(directory, 'k')]).toEqual([undefined, undefined]);
    expect(find(directory, 'l')?.names).toEqual(['m', 'n']);
    expect(find(directory, 'm')?.names).toEqual(['n']);
  }
  expect([find('more', 'n'), find('all', 'n')]).toEqual([undefined, { names: [], more: false }]);
});
