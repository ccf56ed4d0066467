import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connectionError, connectTcp } from '../../src/client/connect.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('connectTcp', () => {
  test('nobody listens: CONNECTION_REFUSED, with the endpoint and the question to ask', async () => {
    const port = await freePort();
    const error = await connectTcp({ host: '127.0.0.1', port }, 5_000).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'CONNECTION_REFUSED', exitCode: 1, cause: { code: 'ECONNREFUSED' } });
    expect(error.message).toContain(`127.0.0.1:${port}: `);
  });

  test('a name without an address: NAME_NOT_FOUND', async () => {
    const connecting = connectTcp({ host: 'no-such-name.invalid', port: 7007 }, 5_000);
    await expect(connecting).rejects.toMatchObject({ code: 'NAME_NOT_FOUND' });
  });

  test('an address that answers nothing: CONNECTION_TIMED_OUT when the time is over, fractions of it allowed', async () => {
    // TEST-NET-1 belongs to nobody; a network that says so at once is as good an answer.
    const error = await connectTcp({ host: '192.0.2.1', port: 9 }, 20.5).catch((reason) => reason);
    expect(['CONNECTION_TIMED_OUT', 'HOST_UNREACHABLE', 'CONNECTION_REFUSED']).toContain(error.code);
  });

  test.each([
    ['ECONNRESET', 'CONNECTION_LOST'],
    ['ETIMEDOUT', 'CONNECTION_TIMED_OUT'],
    ['EHOSTUNREACH', 'HOST_UNREACHABLE'],
    ['ENETUNREACH', 'HOST_UNREACHABLE'],
    ['EAI_AGAIN', 'NAME_NOT_FOUND'],
    ['EWHATEVER', 'CONNECTION_LOST'],
  ])('%s means %s', (code, expected) => {
    const cause = Object.assign(new Error(`read ${code}`), { code });
    const error = connectionError({ host: '::1', port: 7 }, cause);
    expect(error).toMatchObject({ code: expected, cause });
    expect(error.message).toMatch(/^\[::1\]:7: ./);
  });
});
