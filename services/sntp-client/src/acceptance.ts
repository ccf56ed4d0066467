/**
 * What makes a datagram the answer to a request: a table of checks in their order, each with its reason.
 * Whatever fails is left aside, and waiting goes on until the deadline: a forger must not be able to end
 * an exchange by being first.
 *
 * The order matters. Before `wrong-origin` anybody can have sent it; before the NTS checks anybody who
 * saw the request can; only what passed both speaks for the server, and only then is a kiss a kiss.
 */
import type { Packet, PacketProblem } from './packet.ts';
import { modes } from './packet.ts';
import { CLOCK_RESOLUTION_SECONDS, delayOf, measure, precisionSeconds, type Sample, type Times } from './sample.ts';
import { difference, type NtpTimestamp, unitsToSeconds } from './timestamp.ts';

export const rejectionReasons = {
  short: 'fewer than 48 bytes',
  malformed: 'what follows the header is no extension field',
  'wrong-source': 'from another address or port than the one asked',
  'wrong-mode': 'the mode is not 4 (server)',
  'wrong-version': 'the version is neither 3 nor 4',
  'wrong-origin': 'it does not repeat the transmit time stamp of the request: forged, replayed or late',
  duplicate: 'the request was answered before',
  'nts-missing': 'NTS was asked for and the reply carries none',
  'nts-wrong-id': 'the unique identifier is not that of the request',
  'nts-unauthentic': 'the authenticator does not fit: the packet was changed on its way',
  'nts-nak': 'the server can not open the cookie (NTSN); this says so without proof',
  'kiss-unknown': 'a kiss-of-death with a code that asks for nothing we know',
  unsynchronised: 'the server says that its clock is not set',
  'bad-stratum': 'the stratum is 16 or above',
  'zero-time': 'the receive or the transmit time stamp is zero',
  'reversed-times': 'it was sent before it was received, by its own time stamps',
  'held-too-long': 'the server kept the request for more than 4 s',
  'root-distance-limit': 'the server is 16 s or more from its reference: not synchronised',
  'root-distance': 'the server is further from its reference than --max-root-distance',
  'future-reference': 'the server was set at a time that is still to come',
  'stale-reference': 'the server was not set for 36 hours or longer',
  'negative-delay': 'it came back faster than the server says it kept it',
  'delay-limit': 'it was under way for longer than --max-delay',
  'clock-stepped': 'the local clock was set, or the machine slept, during the exchange',
  stalled: 'this process was held up between reading the clock and sending',
} as const;
export type RejectionReason = keyof typeof rejectionReasons;

/** Kiss codes that ask something of a client (RFC 5905 section 7.4). */
export const kissCodes = ['RATE', 'DENY', 'RSTR'] as const;
export type KissCode = (typeof kissCodes)[number];

export interface Policy {
  readonly maxRootDistanceSeconds: number;
  readonly maxDelaySeconds: number;
}

export const defaultPolicy: Policy = { maxRootDistanceSeconds: 1.5, maxDelaySeconds: 3 };

/** Why the NTS fields of a reply are refused; `undefined` when they are right. */
export type NtsProblem = 'nts-missing' | 'nts-wrong-id' | 'nts-unauthentic' | 'nts-nak';

export interface Reply extends Times {
  /** Fields of the packet, or why it has none. */
  readonly packet: Packet | PacketProblem;
  readonly fromAskedServer: boolean;
  /** What the request had as transmit time stamp. */
  readonly origin: NtpTimestamp;
  readonly answeredBefore: boolean;
  /** Left out for plain NTP. Called once, after the cheap checks: it costs a decryption. */
  readonly checkNts?: ((packet: Packet) => NtsProblem | undefined) | undefined;
  /** How far wall clock and monotonic clock went apart during the exchange, in seconds. */
  readonly clockStepSeconds: number;
  /** From reading the clock to when the system had the request, in seconds. */
  readonly sendSeconds: number;
  /** Monotonic clock when the reply came. */
  readonly atSeconds: number;
}

export type Verdict =
  | { readonly kind: 'accepted'; readonly sample: Sample }
  | { readonly kind: 'kiss'; readonly code: KissCode; readonly authenticated: boolean }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason };

const MAX_HELD_SECONDS = 4;

/** Where NTP itself ends (RFC 5905, MAXDISP): no server that is synchronised is further off. */
const HARD_ROOT_DISTANCE_SECONDS = 16;

/** 36 hours: about what a good clock can be left alone (RFC 5905, MAXAGE is a day). */
const MAX_REFERENCE_AGE_SECONDS = 2 ** 17;

/** Between readings of two clocks that are not read at the same instant. */
const MAX_STEP_SECONDS = 5e-3;
const MAX_STALL_SECONDS = 20e-3;

/** A server's word on its precision excuses no more than this when a delay comes out negative. */
const MAX_NEGATIVE_DELAY_SECONDS = 1e-3;

type Check = readonly [reason: RejectionReason, fails: (packet: Packet, reply: Reply, policy: Policy) => boolean];

/** Who sent it. */
const identityChecks: readonly Check[] = [
  ['wrong-source', (_packet, { fromAskedServer }) => !fromAskedServer],
  ['wrong-mode', ({ mode }) => mode !== modes.server],
  ['wrong-version', ({ version }) => version !== 3 && version !== 4],
  ['wrong-origin', (packet, { origin }) => packet.origin !== origin],
  ['duplicate', (_packet, { answeredBefore }) => answeredBefore],
];

/** Whether the server has a time to give, and whether it can be true. */
const contentChecks: readonly Check[] = [
  ['unsynchronised', ({ leap, stratum }) => leap === 3 || stratum === 0],
  ['bad-stratum', ({ stratum }) => stratum > 15],
  ['zero-time', ({ receive, transmit }) => receive === 0n || transmit === 0n],
  ['reversed-times', (packet) => heldSeconds(packet) < 0],
  ['held-too-long', (packet) => heldSeconds(packet) > MAX_HELD_SECONDS],
  ['root-distance-limit', (packet) => rootDistance(packet) >= HARD_ROOT_DISTANCE_SECONDS],
  ['root-distance', (packet, _reply, policy) => rootDistance(packet) > policy.maxRootDistanceSeconds],
  ['stale-reference', ({ reference }) => reference === 0n],
  ['future-reference', (packet) => referenceAge(packet) < 0],
  ['stale-reference', (packet) => referenceAge(packet) > MAX_REFERENCE_AGE_SECONDS],
  ['clock-stepped', (_packet, { clockStepSeconds }) => Math.abs(clockStepSeconds) > MAX_STEP_SECONDS],
  ['stalled', (_packet, { sendSeconds }) => sendSeconds > MAX_STALL_SECONDS],
  ['negative-delay', (packet, reply) => delayOf(packet, reply) < -negativeDelayAllowed(packet)],
  ['delay-limit', (packet, reply, policy) => delayOf(packet, reply) > policy.maxDelaySeconds],
];

/** Judges a datagram that came while a request waits for its reply. Pure but for `checkNts`; never throws. */
export function judge(reply: Reply, policy: Policy = defaultPolicy): Verdict {
  const { packet } = reply;
  if (packet === 'short' || packet === 'malformed') return rejected(packet);
  const stranger = firstFailure(identityChecks, packet, reply, policy);
  if (stranger !== undefined) return rejected(stranger);
  const ntsProblem = reply.checkNts?.(packet);
  if (ntsProblem !== undefined) return rejected(ntsProblem);
  const kiss = kissOf(packet);
  if (kiss === 'unknown') return rejected('kiss-unknown');
  if (kiss !== undefined) return { kind: 'kiss', code: kiss, authenticated: reply.checkNts !== undefined };
  const fault = firstFailure(contentChecks, packet, reply, policy);
  if (fault !== undefined) return rejected(fault);
  return { kind: 'accepted', sample: measure(packet, reply, reply.atSeconds) };
}

function firstFailure(
  checks: readonly Check[],
  packet: Packet,
  reply: Reply,
  policy: Policy,
): RejectionReason | undefined {
  return checks.find(([, fails]) => fails(packet, reply, policy))?.[0];
}

const rejected = (reason: RejectionReason): Verdict => ({ kind: 'rejected', reason });

/** Codes of servers that have no time yet; they are put where a kiss code stands, but ask for nothing. */
const notYetSet: readonly string[] = ['INIT', 'STEP'];

/** At stratum 0 the reference id is a code; zero there is a plain "not synchronised". */
function kissOf({ stratum, referenceId }: Packet): KissCode | 'unknown' | undefined {
  if (stratum !== 0 || referenceId === 0) return undefined;
  const code = kissText(referenceId);
  if (notYetSet.includes(code)) return undefined;
  return kissCodes.find((known) => known === code) ?? 'unknown';
}

/** The four characters of a kiss code. */
export function kissText(referenceId: number): string {
  return String.fromCharCode(...[24, 16, 8, 0].map((shift) => (referenceId >>> shift) & 0xff));
}

function heldSeconds({ receive, transmit }: Packet): number {
  return unitsToSeconds(difference(transmit, receive));
}

function rootDistance({ rootDelaySeconds, rootDispersionSeconds }: Packet): number {
  return rootDelaySeconds / 2 + rootDispersionSeconds;
}

function referenceAge({ transmit, reference }: Packet): number {
  return unitsToSeconds(difference(transmit, reference));
}

/** Two clocks of finite resolution can make a delay of nothing look like less than nothing. */
function negativeDelayAllowed(packet: Packet): number {
  return Math.min(MAX_NEGATIVE_DELAY_SECONDS, CLOCK_RESOLUTION_SECONDS + precisionSeconds(packet));
}
