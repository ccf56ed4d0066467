/**
 * What a server, or somebody in its place, can send that must not be believed: each with the one right
 * reaction. Those that carry a time carry one that is an hour ahead wherever the case leaves room for it.
 */
import { encodeHeader, type Header } from '../../services/sntp-client/src/packet.ts';
import { goodHeader, goodReply, type RequestSeen, stampUnits } from './fake-ntp-server.ts';

export const HOUR = 3_600;

/** A good answer but for these header fields. */
const changed =
  (changes: Partial<Header>) =>
  ({ packet, reply }: RequestSeen): void =>
    reply(goodReply(packet, changes));

const relative =
  (change: (header: Header) => Partial<Header>) =>
  ({ packet, reply }: RequestSeen): void => {
    const header = goodHeader(packet);
    reply(encodeHeader({ ...header, ...change(header) }));
  };

export const kiss = (code: string) =>
  changed({ leap: 3, stratum: 0, referenceId: Buffer.from(code, 'latin1').readUInt32BE() });

/** An answer that would put our clock an hour ahead, changed so that it must not be believed. */
export const forged = (packet: RequestSeen['packet'], changes: Partial<Header> = {}): Buffer =>
  goodReply(packet, changes, HOUR);

export type HostileCase = readonly [name: string, behave: (request: RequestSeen) => void, reaction: string];

export const hostileReplies: readonly HostileCase[] = [
  ['a reply from another port', ({ packet, replyFromElsewhere }) => replyFromElsewhere(forged(packet)), 'timed-out'],
  ['a wrong origin', ({ packet, reply }) => reply(forged(packet, { origin: packet.transmit ^ 1n })), 'wrong-origin'],
  ['a zero origin', ({ packet, reply }) => reply(forged(packet, { origin: 0n })), 'wrong-origin'],
  ['47 bytes', ({ packet, reply }) => reply(forged(packet).subarray(0, 47)), 'short'],
  ['an empty datagram', ({ reply }) => reply(Buffer.alloc(0)), 'short'],
  [
    'trailing bytes that are no field',
    ({ packet, reply }) => reply(Buffer.concat([forged(packet), Buffer.alloc(7)])),
    'malformed',
  ],
  [
    'an extension of length zero',
    ({ packet, reply }) => reply(Buffer.concat([forged(packet), Buffer.alloc(28)])),
    'malformed',
  ],
  [
    'an extension longer than the packet',
    ({ packet, reply }) => reply(Buffer.concat([forged(packet), Buffer.from(`0104ffff${'00'.repeat(24)}`, 'hex')])),
    'malformed',
  ],
  ['mode 3, a request', changed({ mode: 3 }), 'wrong-mode'],
  ['mode 5, a broadcast', changed({ mode: 5 }), 'wrong-mode'],
  ['version 2', changed({ version: 2 }), 'wrong-version'],
  ['version 7', changed({ version: 7 }), 'wrong-version'],
  ['RATE', kiss('RATE'), 'kiss RATE'],
  ['DENY', kiss('DENY'), 'kiss DENY'],
  ['RSTR', kiss('RSTR'), 'kiss RSTR'],
  ['an unknown kiss', kiss('XYZZ'), 'kiss-unknown'],
  ['a kiss of unprintable bytes', kiss('\x1b[2J'), 'kiss-unknown'],
  [
    'a kiss with a wrong origin',
    ({ packet, reply }) => reply(goodReply(packet, { leap: 3, stratum: 0, referenceId: 0x44454e59, origin: 7n })),
    'wrong-origin',
  ],
  ['leap indicator 3', changed({ leap: 3 }), 'unsynchronised'],
  ['stratum 0 without a code', changed({ stratum: 0, referenceId: 0 }), 'unsynchronised'],
  ['INIT, as ntpd says before it has a time', kiss('INIT'), 'unsynchronised'],
  ['stratum 16', changed({ stratum: 16 }), 'bad-stratum'],
  ['a zero receive time', changed({ receive: 0n }), 'zero-time'],
  ['a zero transmit time', changed({ transmit: 0n }), 'zero-time'],
  [
    'sent before it was received',
    relative(({ receive }) => ({ transmit: receive - stampUnits(0.5) })),
    'reversed-times',
  ],
  ['kept for 5 s', relative(({ transmit }) => ({ receive: transmit - stampUnits(5) })), 'held-too-long'],
  ['a root dispersion of 20 s', changed({ rootDispersionSeconds: 20 }), 'root-distance-limit'],
  ['a root delay of 40 s', changed({ rootDelaySeconds: 40 }), 'root-distance-limit'],
  ['a root distance of 2 s', changed({ rootDispersionSeconds: 2 }), 'root-distance'],
  [
    'a reference five days old',
    relative(({ transmit }) => ({ reference: transmit - stampUnits(5 * 86_400) })),
    'stale-reference',
  ],
  ['no reference time at all', changed({ reference: 0n }), 'stale-reference'],
  [
    'a reference in the future',
    relative(({ transmit }) => ({ reference: transmit + stampUnits(60) })),
    'future-reference',
  ],
  [
    'kept for longer than it was away',
    relative(({ transmit }) => ({ receive: transmit - stampUnits(1) })),
    'negative-delay',
  ],
  ['silence', () => {}, 'timed-out'],
];
