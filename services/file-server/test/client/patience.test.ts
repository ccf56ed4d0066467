/** How long the client waits for a server that says nothing. The clock is the test's; the sockets are real. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Connection } from '../../src/client/connection.ts';
import { askDigest } from '../../src/client/digest.ts';
import { PayloadRequest } from '../../src/client/payload-request.ts';
import { decodePath } from '../../src/protocol/path.ts';
import { startScripted } from './scripted-server.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const GB = 1e9;
const HOUR_MS = 3_600_000;

/** What becomes of a request that is never answered: whether it is awaited until shortly before a time, and then not. */
async function waitsUntil(
  limitMs: number,
  timeoutMs: number,
  ask: (connection: Connection) => Promise<unknown>,
): Promise<void> {
  await using server = await startScripted(() => undefined);
  const connection = await Connection.open({ endpoint: { host: '127.0.0.1', port: server.port }, timeoutMs });
  const outcome = ask(connection).catch((error: Error) => error.message);
  await vi.waitFor(() => expect(server.lines).toHaveLength(1));
  // The bytes of the request moved as well.
  await vi.advanceTimersByTimeAsync(timeoutMs / 4);
  await vi.advanceTimersByTimeAsync(limitMs - timeoutMs / 4);
  expect(connection.isOpen, `after ${limitMs} ms`).toBe(true);
  await vi.advanceTimersByTimeAsync(timeoutMs / 2);
  expect(connection.isOpen, `after ${limitMs + timeoutMs / 2} ms`).toBe(false);
  expect(await outcome).toMatch(/: nothing moved for [\d.]+ s$/);
}

describe('a server that says nothing is waited for', () => {
  test('as long as --timeout says, where it has nothing to do', () =>
    waitsUntil(5_000, 5_000, (connection) => connection.ask('PING')));

  test('and a second more for each 10 MB of a file that it hashes', () =>
    waitsUntil(5_000 + 10_000_000, 5_000, (connection) => askDigest(connection, decodePath('f'), 'sha256', 100 * GB)));

  test('and as much for an upload, once all of it is sent', async () => {
    await waitsUntil(5_000, 5_000, (connection) => {
      const request = new PayloadRequest();
      connection.startStream('PUT f 1000000000', request);
      return request.stored;
    });
    await waitsUntil(5_000 + 100_000, 5_000, (connection) => {
      const request = new PayloadRequest();
      connection.startStream('PUT f 1000000000', request);
      request.workBytes = GB;
      return request.stored;
    });
  });

  test('but no more than a day, however large it says that the file is', () =>
    waitsUntil(HOUR_MS + 24 * HOUR_MS, HOUR_MS, (connection) =>
      askDigest(connection, decodePath('f'), 'crc32', Number.MAX_SAFE_INTEGER),
    ));

  test('for ever, with --timeout off', async () => {
    await using server = await startScripted(() => undefined);
    const connection = await Connection.open({ endpoint: { host: '127.0.0.1', port: server.port }, timeoutMs: 0 });
    const outcome = connection.ask('PING').catch((error: Error) => error.message);
    await vi.waitFor(() => expect(server.lines).toHaveLength(1));
    await vi.advanceTimersByTimeAsync(1000 * HOUR_MS);
    expect(connection.isOpen).toBe(true);
    connection.destroy(new Error('enough'));
    expect(await outcome).toBe('enough');
  });
});
