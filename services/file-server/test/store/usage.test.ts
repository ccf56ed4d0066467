import { expect, test } from 'vitest';
import { Reservation, Usage } from '../../src/store/usage.ts';

test('room is promised once, grows as it must, and is given back', () => {
  const usage = new Usage(100);
  const one = new Reservation(usage);
  const other = new Reservation(usage);
  one.grow(60);
  one.grow(50);
  expect(usage.usedBytes).toBe(60);
  expect(() => other.grow(41)).toThrow(expect.objectContaining({ code: 'QUOTA' }));
  expect(other.bytes).toBe(0);
  other.grow(40);
  one.release();
  one.release();
  expect(usage.usedBytes).toBe(40);
  expect(one.bytes).toBe(0);
});

test('what an earlier process left counts even above the quota', () => {
  const usage = new Usage(100);
  new Reservation(usage).restore(150);
  expect(usage.usedBytes).toBe(150);
  expect(() => new Reservation(usage).grow(1)).toThrow(expect.objectContaining({ code: 'QUOTA' }));
});

test('without a quota everything fits, and is counted', () => {
  const usage = new Usage(0);
  new Reservation(usage).grow(Number.MAX_SAFE_INTEGER / 2);
  usage.changed(5);
  usage.changed(-9);
  expect(usage.usedBytes).toBe(Number.MAX_SAFE_INTEGER / 2);
});

test('what comes while the files are counted is not forgotten', async () => {
  const usage = new Usage(100);
  usage.changed(30);
  await usage.recount(async () => {
    usage.changed(7);
    usage.changed(-7);
    return 50;
  });
  expect(usage.usedBytes).toBe(57);
});
