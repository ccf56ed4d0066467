import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { peakResidentBytes } from '../support/process.ts';
import { program, testWith } from '../support/programs.ts';
import { hashThrough, runWith } from '../support/run.ts';
import { allBytes } from '../support/splits.ts';

const MiB = 1024 * 1024;
const nc = program('nc');

describe.each(['onread', 'data'])('nc and echo-tcp --io %s', (io) => {
  testWith([nc], 'printf hi | nc -N: hi comes back, then the end', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io]);
    const { code, stdout } = await runWith('hi', 'nc', '-N', '127.0.0.1', String(daemon.port));
    expect([code, String(stdout)]).toEqual([0, 'hi']);
    expect(await daemon.record('connection-closed')).toMatchObject({ bytesIn: 2, bytesOut: 2, reason: 'peer-closed' });
  });

  testWith([nc], 'every byte value comes back as it is', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io]);
    const { stdout } = await runWith(allBytes, 'nc', '-N', '127.0.0.1', String(daemon.port));
    expect(stdout.equals(allBytes)).toBe(true);
  });

  testWith([nc], '100 MB of random bytes come back with the same hash while memory stays bounded', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io]);
    const block = randomBytes(MiB);
    const parts = function* (): Generator<Uint8Array> {
      for (let count = 0; count < 100; count++) {
        // Each block is another one, so that none can stand in for its neighbour.
        block.writeUInt32BE(count, count);
        yield Buffer.from(block);
      }
    };
    const port = String(daemon.port);
    // The first time the heap grows to the size that such work wants, garbage included.
    await hashThrough(parts(), 'nc', '-N', '127.0.0.1', port);
    const before = await peakResidentBytes(daemon.pid);
    const { sent, received, receivedBytes } = await hashThrough(parts(), 'nc', '-N', '127.0.0.1', port);
    expect(receivedBytes).toBe(100 * MiB);
    expect(received).toBe(sent);
    expect(await peakResidentBytes(daemon.pid)).toBeLessThan(before + 64 * MiB);
  });
});

testWith([nc], 'nc over IPv6, and over IPv4 to the same dual-stack port', async () => {
  await using daemon = await startDaemon('echo-tcp', ['--host', '::']);
  for (const host of ['::1', '127.0.0.1']) {
    const { stdout } = await runWith('hi', 'nc', '-N', host, String(daemon.port));
    expect(String(stdout)).toBe('hi');
  }
  const peers = [await daemon.record('connection-closed', 1), await daemon.record('connection-closed', 2)];
  expect(peers.map(({ peer }) => String(peer).replace(/\d+$/, ''))).toEqual(['[::1]:', '127.0.0.1:']);
});
