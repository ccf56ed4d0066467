import { describe, expect, test } from 'vitest';
import { type Daemon, type LogRecord, startDaemon } from '../../../test/support/daemon.ts';
import { cpuTicks, openDescriptors, peakResidentBytes, residentBytes } from '../../../test/support/process.ts';
import { program, testWith } from '../../../test/support/programs.ts';
import { type Client, connectClient, until } from '../../../test/support/tcp.ts';

const MiB = 1024 * 1024;
const modes = ['onread', 'data'] as const;

/** Connections opened and reset; more where more is of our own making. */
const cyclesOf = { onread: 10_000, data: 4_000 };
const WARM_UP_CYCLES = 2_000;
const LANES = 20;

async function served(port: number): Promise<Client> {
  const client = await connectClient(port);
  await client.roundTrip('.');
  return client;
}

const refusals = (daemon: Daemon): LogRecord[] => daemon.records.filter(({ event }) => event === 'connection-refused');
const refused = (daemon: Daemon): number => refusals(daemon).reduce((sum, record) => sum + Number(record.refused), 0);

/** CPU ticks that the process uses while another one counts to a number: near none when it is idle. */
async function ticksWhileNothingHappens(pid: number): Promise<number> {
  const before = await cpuTicks(pid);
  await startDaemon('echo-tcp').then((bystander) => bystander.stop());
  return (await cpuTicks(pid)) - before;
}

describe('descriptors', () => {
  testWith(
    [program('prlimit')],
    '64 open files and 200 clients: the first are served, the rest refused and counted',
    async () => {
      await using daemon = await startDaemon('echo-tcp', [], { under: ['prlimit', '--nofile=64'] });
      const clients: Client[] = [];
      for (let index = 0; index < 200; index++) clients.push(await connectClient(daemon.port));
      await Promise.all(clients.slice(32).map((client) => client.end()));
      const kept = clients.slice(0, 32);
      for (const client of kept) await client.roundTrip('one of the first');

      expect(refusals(daemon)).toMatchObject([{ level: 'warn', reason: 'fd-limit', refused: 1 }]);
      // An accept loop out of descriptors would use the whole of a core: some 40 ticks in this time.
      expect(await ticksWhileNothingHappens(daemon.pid)).toBeLessThan(15);

      for (const client of clients) client.socket.end();
      await daemon.record('connection-closed', 32);
      const again: Client[] = [];
      for (let index = 0; index < 32; index++) again.push(await served(daemon.port));
      for (const client of [...clients, ...again]) client.socket.destroy();
      expect(await daemon.stop()).toMatchObject({ code: 0 });
      expect(refused(daemon)).toBe(168);
    },
  );

  test('--max-connections and --max-connections-per-source are what the flags say', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--max-connections', '3', '--max-connections-per-source', '2']);
    await using first = await served(daemon.port);
    await using second = await served(daemon.port);
    await using third = await connectClient(daemon.port);
    await third.end();
    await using other = await connectClient(daemon.port, { localAddress: '127.0.0.2' });
    await other.roundTrip('.');
    await using fifth = await connectClient(daemon.port, { localAddress: '127.0.0.3' });
    await fifth.end();
    await daemon.record('connection-refused', 2);
    expect(refusals(daemon).map(({ reason }) => reason)).toEqual(['max-connections-per-source', 'max-connections']);
    expect([first.ended, second.ended, other.ended]).toEqual([false, false, false]);
  });
});

describe.each(modes)('--io %s', (io) => {
  test.each([cyclesOf[io]])(
    '%i connections that are reset leave descriptors and memory where they were',
    async (count) => {
      // A small heap: garbage is collected early, so that memory stands still unless something holds it.
      const env = { NODE_OPTIONS: '--max-semi-space-size=1 --max-old-space-size=32' };
      await using daemon = await startDaemon('echo-tcp', ['--io', io], { env });
      const connectAndReset = async (cycles: number): Promise<void> => {
        const lane = async (): Promise<void> => {
          for (let cycle = 0; cycle < cycles / LANES; cycle++) {
            const client = await connectClient(daemon.port);
            client.socket.write('x');
            client.reset();
            await client.gone();
          }
        };
        const before = daemon.records.length;
        await Promise.all(Array.from({ length: LANES }, lane));
        await until(() => daemon.records.length >= before + cycles, 'every connection has its record');
      };
      // The first ones pay for what the runtime sets up once.
      await connectAndReset(WARM_UP_CYCLES);
      const descriptors = await openDescriptors(daemon.pid);
      const resident = await residentBytes(daemon.pid);
      await connectAndReset(count - WARM_UP_CYCLES);
      expect(await openDescriptors(daemon.pid)).toBe(descriptors);
      expect(await residentBytes(daemon.pid)).toBeLessThan(resident + 16 * MiB);
      const closed = daemon.records.filter(({ event }) => event === 'connection-closed');
      expect([closed.length, daemon.records.length]).toEqual([count, count + 1]);
    },
  );

  test('a peer that sends 50 MB and never reads costs one buffer, and is closed as write-stalled', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io, '--idle-timeout', '1s']);
    const before = await peakResidentBytes(daemon.pid);
    await using client = await connectClient(daemon.port);
    client.socket.pause();
    client.socket.write(Buffer.alloc(50 * MiB));
    const closed = await daemon.record('connection-closed');
    expect(closed).toMatchObject({ reason: 'write-stalled' });
    expect(Number(closed.bytesIn) - Number(closed.bytesOut)).toBeLessThanOrEqual(256 * 1024);
    expect(await peakResidentBytes(daemon.pid)).toBeLessThan(before + 24 * MiB);
    client.socket.resume();
    await client.gone();
  });
});

test('an idle connection is closed after --idle-timeout', async () => {
  await using daemon = await startDaemon('echo-tcp', ['--idle-timeout', '100ms']);
  await using client = await connectClient(daemon.port);
  await client.end();
  expect(await daemon.record('connection-closed')).toMatchObject({ reason: 'idle', bytesIn: 0, bytesOut: 0 });
});
