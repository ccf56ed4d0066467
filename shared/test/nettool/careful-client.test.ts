/** The careful client against peers of every temper, all on loopback. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Conversation, converse, type Outcome } from '../../src/nettool/careful-client.ts';

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A TCP peer on a free port; every connection is handed to `serve` and destroyed after the test. */
async function tcpPeer(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
    serve(socket);
  });
  closers.push(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

async function udpPeer(answer: (datagram: Buffer) => Buffer | undefined): Promise<number> {
  const socket = createSocket('udp4');
  closers.push(() => socket.close());
  socket.on('message', (datagram, from) => {
    const reply = answer(datagram);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** A terminal at which nobody types. */
async function* silent(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
  await new Promise(() => {});
}

const talk = (port: number, rest: Partial<Conversation> = {}): Promise<Outcome> =>
  converse({
    host: '127.0.0.1',
    port,
    transport: 'tcp',
    tls: false,
    timeoutMs: 10_000,
    message: undefined,
    keepBytes: 1_024,
    signal: new AbortController().signal,
    ...rest,
  });

const names = ({ steps }: Outcome) => steps.map(({ step, error }) => (error === undefined ? step : `${step} ${error}`));
const kept = ({ received }: Outcome) => Buffer.from(received?.kept ?? []).toString();
/** Shorter than any real wait, for peers that never answer. */
const SHORT_MS = 100;

describe('TCP', () => {
  test('an echo comes back whole, and each step is timed in its order', async () => {
    const port = await tcpPeer((socket) => socket.pipe(socket));
    const outcome = await talk(port, { message: chunks('hello, ', 'world') });
    expect(names(outcome)).toEqual(['resolve', 'connect', 'send', 'receive', 'close']);
    expect(kept(outcome)).toBe('hello, world');
    expect(outcome.failure).toBeUndefined();
    for (const { durationMs } of outcome.steps) expect(durationMs).toBeGreaterThanOrEqual(0);
  });

  test('without a message it connects and closes, and reads nothing', async () => {
    const port = await tcpPeer((socket) => socket.end('a greeting'));
    const outcome = await talk(port);
    expect(names(outcome)).toEqual(['resolve', 'connect', 'close']);
    expect(outcome.received).toBeUndefined();
  });

  test('an echo larger than all buffers brings nobody to a stand-still, and only the beginning is kept', async () => {
    const port = await tcpPeer((socket) => socket.pipe(socket));
    const block = 'x'.repeat(1 << 20);
    const outcome = await talk(port, { message: chunks(...Array<string>(16).fill(block)) });
    expect(outcome.failure).toBeUndefined();
    expect(outcome.received?.bytes).toBe(16 << 20);
    expect(outcome.received?.kept.length).toBe(1_024);
  });

  test('refused: nobody listens on the port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    const outcome = await talk(port, { message: chunks('x') });
    expect(names(outcome)).toEqual(['resolve', 'connect ECONNREFUSED']);
    expect(outcome.failure).toMatchObject({ step: 'connect', target: `127.0.0.1:${port}` });
  });

  test('a name that does not exist fails at its look-up', async () => {
    // The label is longer than DNS has room for, so no resolver is asked.
    const outcome = await talk(7, { host: `${'x'.repeat(64)}.invalid` });
    expect(outcome.steps).toHaveLength(1);
    expect(outcome.failure?.step).toBe('resolve');
  });

  test('reset: the far end answers a message with RST', async () => {
    const port = await tcpPeer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const outcome = await talk(port, { message: chunks('x') });
    expect(outcome.failure).toMatchObject({ step: 'receive', error: 'ECONNRESET' });
  });

  test('reset while a person is still typing is told at once', async () => {
    const port = await tcpPeer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const typing = async function* () {
      yield Buffer.from('first line\n');
      await new Promise(() => {});
    };
    const outcome = await talk(port, { message: typing() });
    expect(outcome.failure).toMatchObject({ step: 'send', error: 'ECONNRESET' });
  });

  test('silent: the far end takes the message and says nothing', async () => {
    const port = await tcpPeer((socket) => socket.resume());
    const outcome = await talk(port, { message: chunks('x'), timeoutMs: SHORT_MS });
    expect(outcome.failure).toMatchObject({ step: 'receive', error: 'ETIMEDOUT', detail: 'nothing came for 100ms' });
    expect(outcome.received?.bytes).toBe(0);
  });

  test('unread: the far end never reads, and sending stands still', async () => {
    const port = await tcpPeer((socket) => socket.pause());
    // More than any socket buffers hold, and bounded: a client that forgot to wait must fail here and not eat the machine.
    const tooMuch = async function* () {
      for (let block = 0; block < 64; block += 1) yield Buffer.alloc(1 << 20);
    };
    const outcome = await talk(port, { message: tooMuch(), timeoutMs: SHORT_MS });
    expect(outcome.failure).toMatchObject({ step: 'send', error: 'ETIMEDOUT' });
  });

  test('slow: a peer that takes longer than the limit, byte by byte, is waited for', async () => {
    const text = 'patience';
    const port = await tcpPeer((socket) => {
      let sent = 0;
      const timer = setInterval(() => {
        if (sent < text.length) socket.write(text[sent++] ?? '');
        else socket.end();
      }, 200);
      closers.push(() => clearInterval(timer));
    });
    const outcome = await talk(port, { message: chunks(), timeoutMs: 1_500 });
    expect(outcome.failure).toBeUndefined();
    expect(kept(outcome)).toBe(text);
  });

  test('half-closed: a peer that ends its side first still gets the whole message', async () => {
    const heard = Promise.withResolvers<string>();
    const finSent = Promise.withResolvers<void>();
    const port = await tcpPeer((socket) => {
      socket.end('goodbye', () => finSent.resolve());
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => heard.resolve(text));
    });
    const afterFin = async function* () {
      yield Buffer.from('first ');
      await finSent.promise;
      // On loopback the FIN is there already; a few turns of the event loop and this end has read it.
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      yield Buffer.from('second');
    };
    const outcome = await talk(port, { message: afterFin() });
    expect(outcome.failure).toBeUndefined();
    expect(kept(outcome)).toBe('goodbye');
    expect(await heard.promise).toBe('first second');
  });

  test('a peer that closes without a word is no failure: discard is a service too', async () => {
    const port = await tcpPeer((socket) => socket.resume().on('end', () => socket.end()));
    const outcome = await talk(port, { message: chunks('x') });
    expect(outcome.failure).toBeUndefined();
    expect(outcome.received?.bytes).toBe(0);
  });

  test('Ctrl-C ends a wait', async () => {
    const port = await tcpPeer((socket) => socket.resume());
    const interrupt = new AbortController();
    const running = talk(port, { message: chunks('x'), signal: interrupt.signal });
    interrupt.abort();
    expect((await running).failure?.error).toBe('EINTR');
  });

  test('Ctrl-C ends the wait for input that is silent, also when the far end has closed', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await tcpPeer((socket) => socket.resume().end(() => closed.resolve()));
    const interrupt = new AbortController();
    const running = talk(port, { message: silent(), signal: interrupt.signal });
    await closed.promise;
    // The client's socket is in this process: some turns later it has read the end.
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    interrupt.abort();
    expect((await running).failure).toMatchObject({ step: 'send', error: 'EINTR' });
  });
});

describe('UDP', () => {
  test('Ctrl-C ends the wait for input that is silent', async () => {
    const interrupt = new AbortController();
    const running = talk(9, { transport: 'udp', message: silent(), signal: interrupt.signal });
    interrupt.abort();
    expect((await running).failure?.error).toBe('EINTR');
  });

  test('input that can not be read is a failure of that step', async () => {
    const error = Object.assign(new Error('bad file descriptor'), { code: 'EBADF' });
    const broken = new Readable({ read: () => broken.destroy(error) });
    const { failure } = await talk(9, { transport: 'udp', message: broken });
    expect(failure).toMatchObject({ step: 'send', error: 'EBADF', detail: 'bad file descriptor' });
  });

  test('one datagram goes, one comes back', async () => {
    const port = await udpPeer((datagram) => Buffer.concat([datagram, Buffer.from('!')]));
    const outcome = await talk(port, { transport: 'udp', message: chunks('pi', 'ng') });
    expect(names(outcome)).toEqual(['resolve', 'connect', 'send', 'receive']);
    expect(kept(outcome)).toBe('ping!');
  });

  test('an empty datagram is one too, both ways', async () => {
    const port = await udpPeer((datagram) => (datagram.length === 0 ? Buffer.alloc(0) : undefined));
    const outcome = await talk(port, { transport: 'udp', message: chunks() });
    expect(outcome.failure).toBeUndefined();
    expect(outcome.received?.bytes).toBe(0);
  });

  test('refused: the host says that nobody has the port', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    const outcome = await talk(port, { transport: 'udp', message: chunks('x') });
    expect(outcome.failure?.error).toBe('ECONNREFUSED');
    expect(outcome.received).toBeUndefined();
  });

  test('silent: no reply in time', async () => {
    const port = await udpPeer(() => undefined);
    const outcome = await talk(port, { transport: 'udp', message: chunks('x'), timeoutMs: SHORT_MS });
    expect(outcome.failure).toMatchObject({ step: 'receive', error: 'ETIMEDOUT' });
  });

  test('a datagram that is too long fails at sending', async () => {
    const port = await udpPeer(() => undefined);
    const outcome = await talk(port, { transport: 'udp', message: chunks('x'.repeat(65_508)) });
    expect(outcome.failure).toMatchObject({ step: 'send', error: 'EMSGSIZE' });
  });
});

describe('TLS to a peer that does not speak it', () => {
  test('plain text in answer to the handshake', async () => {
    const port = await tcpPeer((socket) => socket.write('SSH-2.0-plain\r\n'));
    const outcome = await talk(port, { tls: true });
    expect(outcome.failure?.step).toBe('tls');
    expect(outcome.failure?.error).toMatch(/^ERR_SSL_/);
    expect(outcome.failure?.detail).not.toContain('\n');
  });

  test('a peer that waits, and one that closes', async () => {
    const waiting = await tcpPeer((socket) => socket.resume());
    expect((await talk(waiting, { tls: true, timeoutMs: SHORT_MS })).failure).toMatchObject({
      step: 'tls',
      error: 'ETIMEDOUT',
    });
    const closing = await tcpPeer((socket) => socket.once('data', () => socket.end()));
    expect((await talk(closing, { tls: true })).failure).toMatchObject({ step: 'tls', error: 'ECONNRESET' });
  });
});
