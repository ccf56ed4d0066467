import { expect, test } from 'vitest';
import { PathLocks } from '../../src/store/locks.ts';

test('holders of one key come one after the other, in their order, and a failure lets the next one in', async () => {
  const locks = new PathLocks();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = locks.hold(['a'], async () => {
    await gate.promise;
    order.push('first');
    throw new Error('no');
  });
  const second = locks.hold(['a'], async () => order.push('second'));
  const other = locks.hold(['b'], async () => order.push('other'));
  await other;
  gate.resolve();
  await expect(first).rejects.toThrow('no');
  await second;
  expect(order).toEqual(['other', 'first', 'second']);
  expect(locks.size).toBe(0);
});

test('two who want two keys in opposite order do not wait for each other', async () => {
  const locks = new PathLocks();
  const done: string[] = [];
  await Promise.all([
    locks.hold(['a', 'b'], async () => done.push('ab')),
    locks.hold(['b', 'a'], async () => done.push('ba')),
    locks.hold(['a', 'a'], async () => done.push('aa')),
  ]);
  expect(done).toEqual(['ab', 'ba', 'aa']);
  expect(locks.size).toBe(0);
});
