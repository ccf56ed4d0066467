import { expect, test } from 'vitest';
import { renderTable } from './table.ts';

test('columns are as wide as their widest cell, numbers are right-aligned, missing peers are named below', () => {
  const table = renderTable(
    [
      { title: 'server', align: 'left' },
      { title: 'rate', align: 'right' },
    ],
    [
      ['c-epoll', '194000'],
      ['socat', '7'],
    ],
    new Map([['bun', 'bun is not installed']]),
  );
  expect(table).toBe(
    [
      '| server  |   rate |',
      '| ------- | -----: |',
      '| c-epoll | 194000 |',
      '| socat   |      7 |',
      '',
      'missing: bun (bun is not installed)',
      '',
    ].join('\n'),
  );
});
