/**
 * Servers and networks at their worst: each case with the one right reaction. What must not happen in
 * any of them is that a wrong time is accepted.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type Clock, systemClock } from '@small-servers/shared/clock/clock';
import { afterAll, describe, expect, test } from 'vitest';
import {
  FakeNtpServer,
  goodHeader,
  goodReply,
  type RequestSeen,
  unixNs,
  wallNs,
} from '../../../test/support/fake-ntp-server.ts';
import { forged, HOUR, type HostileCase, hostileReplies, kiss } from '../../../test/support/hostile-replies.ts';
import { defaultPolicy } from '../src/acceptance.ts';
import { channelOpener, type Stamping } from '../src/channel.ts';
import { encodeAuthenticator, fieldTypes } from '../src/nts/fields.ts';
import type { ExchangeKeys } from '../src/nts/key-exchange.ts';
import { emptyHeader, encodeField, encodeHeader } from '../src/packet.ts';
import { type Outcome, type ProbeEvent, ServerProbe } from '../src/probe.ts';
import { type Asked, query } from '../src/query.ts';
import { makeReport } from '../src/query-report.ts';
import { fromUnixNs } from '../src/timestamp.ts';

const open: (() => void)[] = [];
afterAll(() => {
  for (const close of open.splice(0)) close();
});

async function serve(behave: (request: RequestSeen) => void): Promise<FakeNtpServer> {
  const server = await FakeNtpServer.start(behave);
  open.push(() => server.close());
  return server;
}

/** Long enough for a busy machine; those that wait for it do so at the same time. */
const TIMEOUT_MS = 1_000;

interface Setting {
  readonly port: number;
  readonly host?: string;
  readonly clock?: Clock;
  readonly stamping?: Stamping;
  readonly addresses?: readonly string[] | Error;
  readonly exchangeKeys?: ExchangeKeys;
  readonly timeoutMs?: number;
}

const noKeys: ExchangeKeys = async () => ({ ok: false, problem: 'refused', detail: '' });

function probeOf({
  port,
  host = 'time.test',
  clock = systemClock,
  stamping = 'user',
  addresses = ['127.0.0.1'],
  exchangeKeys,
  timeoutMs = TIMEOUT_MS,
}: Setting): ServerProbe {
  return new ServerProbe(
    { scheme: exchangeKeys === undefined ? 'ntp' : 'nts', host, port },
    {
      open: channelOpener(clock, stamping),
      resolve: async () => {
        if (addresses instanceof Error) throw addresses;
        return addresses;
      },
      exchangeKeys: exchangeKeys ?? noKeys,
    },
    { timeoutMs, burstIntervalMs: 1, policy: defaultPolicy },
  );
}

async function ask(setting: Setting, samples = 1): Promise<readonly ProbeEvent[]> {
  for (;;) {
    const events: ProbeEvent[] = [];
    await probeOf(setting).run({
      samples,
      attempts: 4,
      signal: new AbortController().signal,
      onEvent: (event) => events.push(event),
    });
    // A machine that is busy with other tests holds this process up at times; that is no case of ours.
    if (!events.some(({ outcome }) => word(outcome) === 'stalled')) return events;
  }
}

/** A word for an outcome: its kind, and its reason or code. */
function word(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  if ('reason' in outcome) return outcome.reason;
  if ('problem' in outcome) return outcome.problem;
  if (outcome.kind === 'kiss') return `kiss ${outcome.code}`;
  return outcome.kind === 'unresolved' ? outcome.code : outcome.kind;
}

describe.concurrent.each(['user', 'kernel'] as const)('one server, time stamps by %s', (stamping) => {
  test.each(hostileReplies)('%s', async (_name, behave, reaction) => {
    const { port } = await serve(behave);
    const [event] = await ask({ port, stamping });
    expect(word(event?.outcome)).toBe(reaction);
  });

  test('a forgery first, then the true reply: the true one is taken', async () => {
    const { port } = await serve(({ packet, reply, replyFromElsewhere }) => {
      replyFromElsewhere(forged(packet));
      reply(forged(packet, { origin: 1n }));
      reply(Buffer.alloc(3));
      reply(goodReply(packet));
    });
    const [event] = await ask({ port, stamping });
    expect(event?.outcome.kind).toBe('sample');
    expect(event?.outcome.kind === 'sample' && Math.abs(event.outcome.sample.offsetSeconds)).toBeLessThan(1);
    expect(event?.ignored).toEqual(['wrong-origin', 'short']);
  });
});

describe.concurrent('replies at the wrong moment', () => {
  test('the reply to an earlier request, sent again, is a duplicate', async () => {
    let first: Buffer | undefined;
    const { port } = await serve(({ packet, reply, index }) => {
      if (index === 0) {
        first = goodReply(packet);
        reply(first);
      } else if (first !== undefined) {
        reply(first);
      }
    });
    const [one, two] = await ask({ port }, 2);
    expect(word(one?.outcome)).toBe('sample');
    expect(word(two?.outcome)).toBe('duplicate');
  });

  test('each reply sent twice gives each sample once', async () => {
    const { port } = await serve(({ packet, reply }) => {
      const answer = goodReply(packet);
      reply(answer);
      reply(answer);
    });
    const events = await ask({ port }, 4);
    expect(events.map(({ outcome }) => word(outcome))).toEqual(['sample', 'sample', 'sample', 'sample']);
  });

  test('a reply after its deadline answers nothing, and the next request goes on', async () => {
    let late: Buffer | undefined;
    const { port } = await serve(({ packet, reply, index }) => {
      if (index === 0) {
        late = forged(packet);
      } else {
        if (late !== undefined) reply(late);
        reply(goodReply(packet));
      }
    });
    const [one, two] = await ask({ port }, 2);
    expect(word(one?.outcome)).toBe('timed-out');
    expect(two).toMatchObject({ outcome: { kind: 'sample' }, ignored: ['wrong-origin'] });
  });

  test('a thousand bad datagrams for one request are not a thousand and one', async () => {
    const { port } = await serve(({ reply }) => {
      // In portions that a socket's buffer holds.
      const send = (portions: number): void => {
        for (let count = 0; count < 100; count++) reply(Buffer.alloc(1));
        if (portions > 1) setTimeout(send, 5, portions - 1);
      };
      send(14);
    });
    const [event] = await ask({ port, timeoutMs: 4_000 });
    expect(word(event?.outcome)).toBe('short');
    expect(event?.ignored).toHaveLength(1_000);
  });

  test('a kiss ends the burst: nothing more is asked', async () => {
    const server = await serve(kiss('RATE'));
    const events = await ask({ port: server.port }, 4);
    expect(events).toHaveLength(1);
    expect(server.seen).toHaveLength(1);
  });
});

describe.concurrent('the network', () => {
  /** A port on which nothing listens any more. */
  async function closedPort(): Promise<number> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    return port;
  }

  test.each(['user', 'kernel'] as const)('a closed port is refused at once, time stamps by %s', async (stamping) => {
    const [event] = await ask({ port: await closedPort(), stamping, timeoutMs: 20_000 });
    expect(word(event?.outcome)).toBe('refused');
  });

  test('an unknown name', async () => {
    const error = Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    const [event] = await ask({ port: 1, addresses: error });
    expect(word(event?.outcome)).toBe('ENOTFOUND');
  });

  test('IPv6 that leads nowhere costs one attempt, then IPv4 answers', async () => {
    const { port } = await serve(({ packet, reply }) => reply(goodReply(packet)));
    // Nobody listens there, or there is no IPv6 at all.
    const events = await ask({ port, addresses: ['::1', '127.0.0.1'] });
    expect(events.at(-1)?.outcome.kind).toBe('sample');
    expect(['unreachable', 'refused']).toContain(events[0]?.outcome.kind);
  });

  test('a reply that took one way much longer than the other stays within its bound', async () => {
    const { port } = await serve(({ packet, reply }) => {
      const header = goodHeader(packet);
      setTimeout(() => reply(encodeHeader(header)), 40);
    });
    const [event] = await ask({ port, timeoutMs: 5_000 });
    const sample = event?.outcome.kind === 'sample' ? event.outcome.sample : undefined;
    expect(sample?.offsetSeconds).toBeLessThan(-0.015);
    expect(Math.abs(sample?.offsetSeconds ?? 9)).toBeLessThanOrEqual((sample?.delaySeconds ?? 0) / 2 + 2e-6);
  });
});

describe.concurrent('our own clock', () => {
  /** The wall clock moved by `seconds`, from the `after`-th reading on. */
  function shifted(seconds: number, after = 0): Clock {
    let readings = 0;
    return {
      monoNs: systemClock.monoNs,
      wallNs: () => systemClock.wallNs() + (readings++ >= after ? BigInt(Math.round(seconds * 1e9)) : 0n),
    };
  }

  test('a step in the middle of an exchange spoils it', async () => {
    const { port } = await serve(({ packet, reply }) => reply(goodReply(packet)));
    const [event] = await ask({ port, clock: shifted(-30, 1) });
    expect(word(event?.outcome)).toBe('clock-stepped');
  });

  test('a client in 1970 finds the true time', async () => {
    const { port } = await serve(({ packet, reply }) => reply(goodReply(packet)));
    const away = Number(wallNs()) / 1e9 - 12;
    const [event] = await ask({ port, clock: shifted(-away) });
    const offset = event?.outcome.kind === 'sample' ? event.outcome.sample.offsetSeconds : 0;
    expect(Math.abs(offset - away)).toBeLessThan(1);
  });

  test.each([
    ['2036-02-07T06:28:20Z', 'right after the end of era 0'],
    ['2050-01-01T00:00:00Z', 'well into era 1'],
    ['2093-01-01T00:00:00Z', 'as far as a clock of today can tell'],
  ])('a server in %s, %s, is in the future and not in 1900', async (iso) => {
    const ahead = Number(unixNs(iso) - wallNs()) / 1e9;
    const { port } = await serve(({ packet, reply }) => reply(goodReply(packet, {}, ahead)));
    const [event] = await ask({ port });
    const offset = event?.outcome.kind === 'sample' ? event.outcome.sample.offsetSeconds : 0;
    expect(Math.abs(offset - ahead)).toBeLessThan(1);
  });

  test('a client in 1970 and a server in 2050: 80 years, not 56 before', async () => {
    const server = unixNs('2050-01-01T00:00:00Z');
    const { port } = await serve(({ packet, reply }) => reply(goodReply(packet, {}, Number(server - wallNs()) / 1e9)));
    const [event] = await ask({ port, clock: shifted(-Number(wallNs()) / 1e9 + 5) });
    const offset = event?.outcome.kind === 'sample' ? event.outcome.sample.offsetSeconds : 0;
    expect(Math.abs(offset - Number(server) / 1e9)).toBeLessThan(10);
  });
});

describe.concurrent('several servers', () => {
  async function answerOf(...aheads: readonly number[]) {
    const asked: Asked[] = [];
    for (const ahead of aheads) {
      const { port } = await serve(({ packet, reply }) => reply(goodReply(packet, {}, ahead)));
      asked.push({ name: `ahead ${ahead}`, prober: probeOf({ port }) });
    }
    return query(asked, { samples: 2, attempts: 1, signal: new AbortController().signal, onEvent: () => {} });
  }

  test('one falseticker of four is left out by name', async () => {
    const answer = await answerOf(0, 5, 0.0001, -0.0001);
    const report = makeReport(answer, wallNs());
    expect(report.servers.map(({ verdict }) => verdict)).toEqual(['accepted', 'falseticker', 'accepted', 'accepted']);
    expect(Math.abs(report.offsetSeconds ?? 9)).toBeLessThan(0.5);
  });

  test('two against two have no majority', async () => {
    const report = makeReport(await answerOf(0, 0, 5, 5), wallNs());
    expect(report.error).toBe('no majority: of 4 servers that answered, no 3 agree on the time');
    expect(report.servers.map(({ verdict }) => verdict)).toEqual([
      'no majority',
      'no majority',
      'no majority',
      'no majority',
    ]);
  });

  test('four all alone have none either', async () => {
    expect(makeReport(await answerOf(0, 5, 10, 15), wallNs()).error).toContain('no majority');
  });
});

describe.concurrent('NTS', () => {
  const keys = { clientToServer: Buffer.alloc(32, 1), serverToClient: Buffer.alloc(32, 2) };
  const fresh = Buffer.alloc(100, 9);

  const exchangeKeysWith =
    (port: number, count = 8): ExchangeKeys =>
    async () => ({
      ok: true,
      keys,
      answer: {
        cookies: Array.from({ length: count }, (_, index) => Buffer.alloc(100, index + 1)),
        server: undefined,
        port,
      },
    });

  const fieldOf = ({ packet }: RequestSeen, type: number): Uint8Array =>
    packet.fields.find((field) => field.type === type)?.body ?? Buffer.alloc(0);

  /** A server's proof over a header, with cookies inside of it. */
  function prove(
    request: RequestSeen,
    {
      key = keys.serverToClient,
      id = fieldOf(request, fieldTypes.uniqueIdentifier),
      ahead = 0,
      cookies = [fresh],
    } = {},
  ): Buffer {
    const before = Buffer.concat([goodReply(request.packet, {}, ahead), encodeField(fieldTypes.uniqueIdentifier, id)]);
    const plaintext = Buffer.concat(cookies.map((cookie) => encodeField(fieldTypes.cookie, cookie)));
    return Buffer.concat([before, encodeAuthenticator(before, Buffer.alloc(16, 5), key, plaintext)]);
  }

  const nts: readonly HostileCase[] = [
    ['a proven reply', (request) => request.reply(prove(request)), 'sample'],
    [
      'a transmit time changed on its way',
      (request) => {
        const reply = prove(request);
        reply.writeBigUInt64BE(reply.readBigUInt64BE(40) + (3_600n << 32n), 40);
        request.reply(reply);
      },
      'nts-unauthentic',
    ],
    [
      'a proof by another key',
      (request) => request.reply(prove(request, { key: Buffer.alloc(32, 7), ahead: HOUR })),
      'nts-unauthentic',
    ],
    ['NTS taken off', ({ packet, reply }) => reply(forged(packet)), 'nts-missing'],
    [
      'a wrong unique identifier',
      (request) => request.reply(prove(request, { id: Buffer.alloc(32, 8), ahead: HOUR })),
      'nts-wrong-id',
    ],
    ['a kiss without proof', kiss('DENY'), 'nts-missing'],
    [
      'NTSN',
      (request) =>
        request.reply(
          Buffer.concat([
            goodReply(request.packet, { leap: 3, stratum: 0, referenceId: 0x4e54534e }),
            encodeField(fieldTypes.uniqueIdentifier, fieldOf(request, fieldTypes.uniqueIdentifier)),
          ]),
        ),
      'nts-nak',
    ],
  ];

  test.each(nts)('%s', async (_name, behave, reaction) => {
    const { port } = await serve(behave);
    const [event] = await ask({ port: 4460, exchangeKeys: exchangeKeysWith(port) });
    expect(word(event?.outcome)).toBe(reaction);
  });

  test.each(['refused', 'certificate', 'no-alpn', 'no-aead', 'timed-out'] as const)(
    'a key exchange that ends with "%s" asks nothing without NTS',
    async (problem) => {
      const server = await serve(({ packet, reply }) => reply(goodReply(packet)));
      const events = await ask({ port: server.port, exchangeKeys: async () => ({ ok: false, problem, detail: '' }) });
      expect(events.map(({ outcome }) => word(outcome))).toEqual([problem]);
      expect(server.seen).toHaveLength(0);
    },
  );

  test('an address that gives keys and no time is followed by the next, with keys of its own', async () => {
    const server = await serve((request) => request.reply(prove(request)));
    const asked: string[] = [];
    const events = await ask({
      port: 4460,
      addresses: ['127.0.0.2', '127.0.0.1'],
      exchangeKeys: (options) => {
        asked.push(options.address);
        return exchangeKeysWith(server.port)(options);
      },
    });
    expect(asked).toEqual(['127.0.0.2', '127.0.0.1']);
    expect(events.map(({ outcome }) => word(outcome))).toEqual(['refused', 'sample']);
  });

  test('a cookie is sent once, what replies bring is used, and no key exchange comes twice', async () => {
    let exchanges = 0;
    const server = await serve((request) => {
      const placeholders = request.packet.fields.filter(({ type }) => type === fieldTypes.cookiePlaceholder).length;
      const cookies = Array.from({ length: placeholders + 1 }, (_, index) =>
        Buffer.alloc(100, 100 + request.index * 8 + index),
      );
      request.reply(prove(request, { cookies }));
    });
    const probe = probeOf({
      port: 4460,
      exchangeKeys: (options) => {
        exchanges += 1;
        return exchangeKeysWith(server.port, 3)(options);
      },
    });
    const signal = new AbortController().signal;
    for (let poll = 0; poll < 12; poll++) await probe.run({ samples: 1, attempts: 1, signal, onEvent: () => {} });
    const sent = server.seen.map((bytes) => bytes.subarray(84 + 4, 84 + 104).toString('hex'));
    expect(sent).toHaveLength(12);
    expect(new Set(sent).size).toBe(12);
    expect(exchanges).toBe(1);
  });

  test('NTSN leads to a new key exchange when the cookies have run out, and not before', async () => {
    let exchanges = 0;
    const server = await serve((request) => nts.at(-1)?.[1](request));
    const probe = probeOf({
      port: 4460,
      exchangeKeys: (options) => {
        exchanges += 1;
        return exchangeKeysWith(server.port, 3)(options);
      },
    });
    const signal = new AbortController().signal;
    const after: number[] = [];
    for (let poll = 0; poll < 4; poll++) {
      await probe.run({ samples: 1, attempts: 1, signal, onEvent: () => {} });
      after.push(exchanges);
    }
    expect(after).toEqual([1, 1, 1, 2]);
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

test.runIf(hasIpv6).each(['user', 'kernel'] as const)('a server over IPv6, time stamps by %s', async (stamping) => {
  const server = await FakeNtpServer.start(({ packet, reply }) => reply(goodReply(packet)), '::1');
  open.push(() => server.close());
  const [event] = await ask({ port: server.port, addresses: ['0:0:0:0:0:0:0:1'], stamping });
  expect(event?.outcome.kind).toBe('sample');
  expect(event?.ignored).toEqual([]);
});

test('what is asked tells nothing of us: zeros, and eight bytes that are never the same', async () => {
  const server = await serve(({ packet, reply }) => reply(goodReply(packet)));
  await ask({ port: server.port }, 20);
  const zeros = encodeHeader(emptyHeader);
  for (const bytes of server.seen) expect(bytes.subarray(0, 40)).toEqual(zeros.subarray(0, 40));
  expect(new Set(server.seen.map((bytes) => bytes.subarray(40).toString('hex'))).size).toBe(20);
  const now = fromUnixNs(wallNs()) >> 48n;
  expect(server.seen.filter((bytes) => bytes.readBigUInt64BE(40) >> 48n === now)).toHaveLength(0);
});

test('each burst has a port of its own', async () => {
  const ports = new Set<number>();
  const { port } = await serve(({ packet, reply, from }) => {
    ports.add(from.port);
    reply(goodReply(packet));
  });
  for (let burst = 0; burst < 5; burst++) await ask({ port }, 2);
  expect(ports.size).toBeGreaterThan(3);
});
