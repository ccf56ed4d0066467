import { expect, test } from 'vitest';
import { formatBytes, formatFigure, formatLag } from '../../src/fleet/figures.ts';
import { sparkline } from '../../src/fleet/sparkline.ts';

test.each([
  [0, '0'],
  [3.24, '3.2'],
  [42.6, '43'],
  [12_345, '12,345'],
])('%d as a figure is %s', (value, text) => expect(formatFigure(value)).toBe(text));

test.each([
  [0, '0 B'],
  [1023, '1,023 B'],
  [1536, '1.5 KiB'],
  [20 * 2 ** 20, '20 MiB'],
  [5000 * 2 ** 40, '5,000 TiB'],
])('%d bytes are %s', (value, text) => expect(formatBytes(value)).toBe(text));

test.each([
  [0.42, '0.4 ms'],
  [999, '999 ms'],
  [1_250, '1.3 s'],
])('%d ms late is %s', (value, text) => expect(formatLag(value)).toBe(text));

test('a sparkline is drawn to the largest value, newest at the right, blank where nothing is known', () => {
  expect(sparkline([0, 1, 4, 8], 6)).toBe('  ▁▂▅█');
});

test('a sparkline shows what fits, and rescales to it', () => {
  expect(sparkline([1_000, 0, 2], 2)).toBe('▁█');
});

test('all zeros are drawn low, next to nothing is more than nothing', () => {
  expect(sparkline([0, 0], 2)).toBe('▁▁');
  expect(sparkline([0, 1, 1_000_000], 3)).toBe('▁▂█');
});
