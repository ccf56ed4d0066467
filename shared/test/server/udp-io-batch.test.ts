import { describe, expect, test } from 'vitest';
import { DatagramBatch } from '../../src/native/datagram-batch.ts';
import { type Libc, loadLibc } from '../../src/native/linux.ts';
import type { Interest } from '../../src/native/readiness.ts';
import { bindUdp } from '../../src/native/udp-socket.ts';
import { createAccessList } from '../../src/server/access.ts';
import { DatagramGate } from '../../src/server/datagram-gate.ts';
import { BatchIo } from '../../src/server/datagram-io-batch.ts';
import { keptLog, openClient } from './udp-support.ts';

const loaded = loadLibc();

describe.runIf(loaded.available)('batches on a system that refuses', () => {
  const real = (loaded as { libc: Libc }).libc;

  /** A listener's I/O on a real socket, whose calls go through `libc` and whose event loop is the test. */
  function ioOn(libc: Libc) {
    const address = { family: 4, bytes: Uint8Array.of(127, 0, 0, 1) } as const;
    const socket = bindUdp(real, { address, port: 0, reusePort: false, buffers: {} });
    const gate = new DatagramGate({
      log: keptLog().log,
      ownPort: socket.port,
      seed: 1,
      nowMs: 0,
      ratePerSource: 0,
      maxSources: 10,
      access: createAccessList({ allow: [], deny: [] }),
    });
    const watched: Interest[] = [];
    const errors: string[] = [];
    let ready = (): void => {};
    const io = new BatchIo({
      batch: new DatagramBatch({ libc, fd: socket.fd, family: 4, repliesFromDestination: false }),
      fd: socket.fd,
      family: 4,
      exchange: {
        gate,
        answer: (_memory, _offset, length) => length,
        clock: () => 0,
        onReceiveError: (code) => void errors.push(code),
      },
      open: (onReady) => {
        ready = onReady;
        return { watch: (interest) => void watched.push(interest), close: async () => {} };
      },
      close: socket.close,
    });
    return { io, gate, watched, errors, port: socket.port, ready: () => ready() };
  }

  /** Datagrams that are certainly in the server's queue when this resolves. */
  async function sendAll(client: Awaited<ReturnType<typeof openClient>>, port: number, texts: readonly string[]) {
    for (const text of texts) client.send(Buffer.from(text), port);
    await new Promise((resolve) => client.socket.send('', client.port, '127.0.0.1', resolve));
  }

  test('no room for answers: nothing is read until there is, then they go out first, none lost or twice', async () => {
    let room = 1;
    let error = '';
    const libc: Libc = {
      ...real,
      sendmmsg: ((fd: number, pointer: bigint, count: number, flags: number) => {
        if (room === 0) {
          error = 'EAGAIN';
          return -1;
        }
        const taken = Math.min(room, count);
        room -= taken;
        return real.sendmmsg(fd, pointer, taken, flags);
      }) as Libc['sendmmsg'],
      errorName: () => error || real.errorName(),
    };
    const { io, gate, watched, port, ready } = ioOn(libc);
    await using client = await openClient();
    await sendAll(client, port, ['a', 'b', 'c']);
    ready();
    expect(watched).toEqual(['writable']);
    await sendAll(client, port, ['d']);
    expect(gate.counts.received).toBe(3);
    room = 10;
    ready();
    expect(watched).toEqual(['writable', 'readable']);
    await client.arrived(6);
    const echoed = client.received.filter(({ from }) => from.endsWith(` ${port}`)).map(({ bytes }) => bytes.toString());
    expect(echoed).toEqual(['a', 'b', 'c', 'd']);
    expect(gate.counts).toMatchObject({ received: 4, echoed: 4 });
    room = 0;
    await sendAll(client, port, ['e']);
    ready();
    await io.drain();
    expect(gate.counts).toMatchObject({ received: 5, echoed: 4, dropped: { 'send-failed': 1 } });
    await io.close();
  });

  test('an error of reading is reported and the next datagram is answered', async () => {
    let failures = 1;
    const libc: Libc = {
      ...real,
      recvmmsg: ((...args: Parameters<Libc['recvmmsg']>) => {
        failures -= 1;
        return failures >= 0 ? -1 : real.recvmmsg(...args);
      }) as Libc['recvmmsg'],
      errorName: () => 'ENOBUFS',
    };
    const { io, gate, errors, port, ready } = ioOn(libc);
    await using client = await openClient();
    await sendAll(client, port, ['x']);
    ready();
    expect(errors).toEqual(['ENOBUFS']);
    ready();
    await client.arrived(2);
    expect(gate.counts).toMatchObject({ received: 1, echoed: 1 });
    await io.close();
  });
});
