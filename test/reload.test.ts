/** Reload of the fleet under clients that do not wait: nobody is refused, nobody is reset, nothing is cut. */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestFleet } from './support/fleet.ts';

const CONNECT_EVERY_MS = 5;
const TRANSFER_CHUNKS = 400;
const CHUNK_BYTES = 16 * 1024;

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await TestFleet.create();
  expect((await fleet.run(['start'])).code).toBe(0);
}, 120_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 60_000);

const visiting =
  (question: string) =>
  (port: number): Promise<string> =>
    visit(port, question);

/** One short visit: connect, ask, half-close, read the reply, end. */
async function visit(port: number, question: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    socket.end(question);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    await once(socket, 'end');
    return reply.toString();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? error);
  } finally {
    socket.destroy();
  }
}

/** How long an answer may take while two processes start and stop on the same cores. */
const ANSWER_WITHIN_MS = 10_000;

/** One datagram from a port of its own, and what came back. */
async function ask(port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.send('x');
    const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })) as [Buffer];
    return reply.toString();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? error);
  } finally {
    socket.close();
  }
}

/** Visits at a steady pace until `until` settles; how often each outcome came. */
async function visitUntil(
  until: Promise<unknown>,
  port: number,
  visit: (port: number) => Promise<string>,
): Promise<ReadonlyMap<string, number>> {
  const visits: Promise<string>[] = [];
  const over = { yet: false };
  void until.finally(() => {
    over.yet = true;
  });
  while (!over.yet) {
    visits.push(visit(port));
    await delay(CONNECT_EVERY_MS);
  }
  const outcomes = new Map<string, number>();
  for (const outcome of await Promise.all(visits)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  return outcomes;
}

/** Sends chunk by chunk, the next when the last is back, until `until` settles and all chunks are through. */
async function transfer(until: Promise<unknown>, port: number): Promise<{ sent: string; back: string }> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const sent = createHash('sha256');
  const back = createHash('sha256');
  const received = { bytes: 0 };
  const wake = { up: (): void => {} };
  socket.on('data', (bytes: Buffer) => {
    back.update(bytes);
    received.bytes += bytes.length;
    wake.up();
  });
  const over = { yet: false };
  void until.finally(() => {
    over.yet = true;
  });
  for (let chunk = 0; chunk < TRANSFER_CHUNKS || !over.yet; chunk++) {
    const bytes = Buffer.alloc(CHUNK_BYTES, chunk % 251);
    sent.update(bytes);
    socket.write(bytes);
    while (received.bytes < (chunk + 1) * CHUNK_BYTES) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake.up = resolve;
      await promise;
    }
    await delay(CONNECT_EVERY_MS);
  }
  socket.end();
  await once(socket, 'end');
  return { sent: sent.digest('hex'), back: back.digest('hex') };
}

test('through a reload a client that connects every 5 ms is never refused or reset, and a transfer ends whole', async () => {
  const port = fleet.port('echo-tcp');
  const before = await fleet.processes();
  const reloaded = fleet.run(['reload']);
  const [{ code, stderr }, outcomes] = await Promise.all([reloaded, visitUntil(reloaded, port, visiting('x'))]);
  expect([code, stderr]).toEqual([0, '']);
  expect([...outcomes.keys()]).toEqual(['x']);
  expect(outcomes.get('x')).toBeGreaterThan(50);
  const after = await fleet.processes();
  expect([...after.keys()].some((pid) => !before.has(pid))).toBe(true);
}, 120_000);

test('through a reload each datagram is answered, wherever it came in', async () => {
  const reloaded = fleet.run(['reload']);
  const outcomes = await visitUntil(reloaded, fleet.port('udp-echo'), ask);
  expect((await reloaded).code).toBe(0);
  expect([...outcomes.keys()]).toEqual(['x']);
  expect(outcomes.get('x')).toBeGreaterThan(50);
  // Each old process steered its peers to the new one: without, the datagrams in its socket at its end are lost.
  const steered = (await fleet.records('udp-echo')).filter(({ event }) => event === 'handing-over');
  expect(steered.map(({ problem }) => problem)).toEqual(steered.map(() => undefined));
  expect(steered.length).toBeGreaterThan(0);
}, 120_000);

test('through a reload whoever asks for the time gets it, and a client that sends its own goes over by itself', async () => {
  const port = fleet.port('time-stream-tcp');
  const stamps = async () => (await fleet.records('time-stream-tcp')).filter(({ event }) => event === 'stamp');
  const send = fleet.runFile('services/time-stream-tcp/src/bin.js', [
    ...['send', `127.0.0.1:${port}`, '--interval', '100ms', '--count', '200', '--json'],
  ]);
  await expect.poll(async () => (await stamps()).length, { timeout: 20_000 }).toBeGreaterThan(3);
  const reloaded = fleet.run(['reload']);
  const [{ code }, outcomes] = await Promise.all([reloaded, visitUntil(reloaded, port, visiting('TIME\n'))]);
  expect(code).toBe(0);
  const wrong = [...outcomes.keys()].filter((reply) => !/^\d{4}-\d\d-\d\dT\S+Z mono=\d+\r\n$/.test(reply));
  expect(wrong).toEqual([]);
  const { code: sent, stdout } = await send;
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  expect([sent, summary.reconnects]).toEqual([0, 1]);
  // Each stamp that was sent arrived, at the one process or at the other.
  await expect.poll(async () => (await stamps()).length, { timeout: 20_000 }).toBe(summary.sent);
  expect(new Set((await stamps()).map(({ pid }) => pid)).size).toBe(2);
}, 120_000);

test('a transfer that is under way when the old process is told to end goes through it to its last byte', async () => {
  const port = fleet.port('echo-tcp');
  // The old process drains for as long as the transfer moves, which the reload waits for.
  const begun = Promise.withResolvers<void>();
  const moving = transfer(begun.promise, port);
  const reloaded = fleet.run(['reload']);
  void (async () => {
    await expect
      .poll(async () => (await fleet.records('echo-tcp')).filter(({ event }) => event === 'draining').length, {
        timeout: 60_000,
        interval: 50,
      })
      .toBeGreaterThan(1);
    begun.resolve();
  })();
  const { sent, back } = await moving;
  expect(back).toBe(sent);
  expect((await reloaded).code).toBe(0);
}, 120_000);
