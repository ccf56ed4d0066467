/** A RESUME of an upload that another connection still holds, and is silent: nothing that arrived there is lost. */
import { expect, test } from 'vitest';
import { bytesOf, contentOf, openStore, rootWithOutside } from './store/support/roots.ts';
import { settled, Wire } from './support/wire.ts';

const content = bytesOf(4_000_000);

const answer = (wire: Wire, form: RegExp): Promise<void> =>
  expect.poll(() => wire.output, { timeout: 20_000 }).toMatch(form);

// In blocks that the session had yet to hand over: a part of one, and more than one.
test.each([1, 900_000, 3_000_000])('after %i bytes it goes on behind the last of them', async (cameBytes) => {
  const { root } = rootWithOutside();
  let nowMs = 1_000_000;
  const store = await openStore(root, { now: () => nowMs, holderIdleMs: 5000 });
  const first = new Wire(store);
  first.send(`PUT up ${content.length}\n`);
  await answer(first, /^SEND 0 /);
  first.send(content.subarray(0, cameBytes));
  await first.settle();
  // The disk may have its own time for what was handed over: a holder whose calls go on is none that is silent.
  const second = new Wire(store);
  const id = /id=(\S+)/.exec(first.output)?.[1];
  await expect
    .poll(
      async () => {
        nowMs += 5000;
        second.send(`RESUME ${id}\n`);
        await second.settle();
        return first.reason;
      },
      { timeout: 20_000 },
    )
    .toBe('superseded');
  await answer(second, new RegExp(`SEND ${cameBytes} id=`));
  expect(first.wasReset).toBe(true);
  expect(first.records).toMatchObject([{ verb: 'PUT', outcome: 'suspended', bytes: cameBytes }]);
  second.send(content.subarray(cameBytes));
  await answer(second, /OK type=file /);
  expect(settled(second.output)).toContain(`size=${content.length} `);
  expect((await contentOf(store, 'up')).equals(content)).toBe(true);
});
