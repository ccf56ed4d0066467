import { expect, test } from 'vitest';
import { CookieJar } from '../../src/nts/cookies.ts';

const cookies = (count: number, bytes = 100): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, index) => new Uint8Array(bytes).fill(index + 1));

test('each cookie is given out once, the oldest first', () => {
  const jar = new CookieJar();
  jar.add(cookies(3));
  expect([jar.take()?.[0], jar.take()?.[0], jar.take()?.[0], jar.take()]).toEqual([1, 2, 3, undefined]);
});

test('a jar holds eight, whatever a server sends', () => {
  const jar = new CookieJar();
  jar.add(cookies(100));
  expect(jar.size).toBe(8);
});

test('as many are asked for as are missing beside the one that the reply brings anyway', () => {
  const jar = new CookieJar();
  jar.add(cookies(8));
  jar.take();
  expect(jar.missing(100)).toBe(0);
  for (let lost = 0; lost < 3; lost++) jar.take();
  expect(jar.missing(100)).toBe(3);
});

test('large cookies are asked for a few at a time, so that a request fits a packet', () => {
  expect(new CookieJar().missing(256)).toBe(2);
});
