import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { AppError } from '../../src/errors.ts';
import { listenError } from '../../src/server/listen-error.ts';
import { Harness } from './harness.ts';

const failed = (host: string, port: number): Promise<AppError> =>
  Harness.start({ host, port }).then(
    () => {
      throw new Error('it listens');
    },
    (error: AppError) => error,
  );

describe('a listener that can not be opened', () => {
  test.each(['127.0.0.1', '0.0.0.0', 'localhost'])('says who holds the port that %s wants', async (host) => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const error = await failed(host, port);
    holder.close();
    expect(error.code).toBe('ADDRESS_IN_USE');
    expect(error.message).toContain(`${host}:${port}/tcp is in use by `);
    expect(error.message).toContain(`(pid ${process.pid})`);
  });

  test('says so when the address is not of this machine', async () => {
    const error = await failed('192.0.2.77', 0);
    expect(error.code).toBe('ADDRESS_NOT_AVAILABLE');
    expect(error.message).toContain('192.0.2.77');
  });

  test('says so when the name has no address', async () => {
    const error = await failed('no-such-name.invalid', 0);
    expect(error.code).toBe('NAME_NOT_FOUND');
    expect(error.message).toContain('no-such-name.invalid');
  });

  test.each([
    ['EACCES', 'PERMISSION_DENIED'],
    ['EPERM', 'PERMISSION_DENIED'],
    ['EAI_AGAIN', 'NAME_NOT_FOUND'],
    ['ENOBUFS', 'LISTEN_FAILED'],
  ])('%s becomes %s and keeps its cause', async (code, expected) => {
    const cause = Object.assign(new Error(`listen ${code}`), { code });
    const error = await listenError({ transport: 'tcp', address: '::', port: 7 }, cause);
    expect(error).toMatchObject({ code: expected, cause, exitCode: 1 });
    expect(error.message).toMatch(/^(\[::\]:7\/tcp: |:: has no address)/);
    expect(error.message).not.toContain('\n');
  });
});
