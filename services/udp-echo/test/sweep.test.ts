import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestReturning } from '../src/sweep.ts';

test('finds the largest size that returns, whichever it is, in a few tries', async () => {
  const sizes = fc.integer({ min: 31, max: 65_507 });
  await fc.assert(
    fc.asyncProperty(sizes, async (limit) => {
      let tries = 0;
      const found = await largestReturning(32, 65_507, async (size) => {
        tries += 1;
        return size <= limit;
      });
      expect(found).toBe(limit < 32 ? undefined : limit);
      expect(tries).toBeLessThanOrEqual(18);
    }),
  );
});
