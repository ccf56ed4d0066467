/**
 * One measurement: the four time stamps of an exchange, and how far the offset that they give can be off.
 *
 *     server        T2 ---- T3
 *                  /          \
 *     client    T1             T4        offset = ((T2 - T1) + (T3 - T4)) / 2
 *                                        delay  =  (T4 - T1) - (T3 - T2)
 *
 * The packets were under way for `delay` in all. How it is shared between the two ways is unknown; at
 * worst one of them took all of it, and then the offset is off by delay / 2.
 */
import type { Packet } from './packet.ts';
import { difference, displayPivot, ERA_SECONDS, fromUnixNs, toUnixNs, unitsToSeconds } from './timestamp.ts';

export interface Sample {
  /** What must be added to the local clock to have the server's time. */
  readonly offsetSeconds: number;
  /** Time under way, both ways together; never negative. */
  readonly delaySeconds: number;
  /** What reading the two clocks, and our clock's rate meanwhile, can add to the error. */
  readonly dispersionSeconds: number;
  readonly rootDelaySeconds: number;
  readonly rootDispersionSeconds: number;
  readonly stratum: number;
  readonly leap: number;
  readonly referenceId: number;
  /** When the reply came, by the local monotonic clock. */
  readonly atSeconds: number;
}

/** Resolution with which this process reads its clock. */
export const CLOCK_RESOLUTION_SECONDS = 1e-6;

/**
 * How far a clock that nobody has measured may run off: 100 ppm covers the crystals of computers. RFC
 * 5905 counts with 15 ppm, which holds for clocks that are being disciplined.
 */
export const UNKNOWN_RATE = 100e-6;

/** No precision is worse than this: a server that claims less is not worth asking. */
const WORST_PRECISION_SECONDS = 1;

/** The server's own reading error as it states it, in seconds. */
export function precisionSeconds({ precision }: Pick<Packet, 'precision'>): number {
  return Math.min(WORST_PRECISION_SECONDS, 2 ** precision);
}

export interface Times {
  /** Wall clock right before the request was sent, nanoseconds since 1970. */
  readonly sentUnixNs: bigint;
  /** Wall clock when the reply came. */
  readonly receivedUnixNs: bigint;
}

/** Delay of an exchange in seconds; negative when the server held the request longer than the exchange took. */
export function delayOf({ receive, transmit }: Packet, { sentUnixNs, receivedUnixNs }: Times): number {
  const underWay = difference(fromUnixNs(receivedUnixNs), fromUnixNs(sentUnixNs));
  return unitsToSeconds(underWay - difference(transmit, receive));
}

/** Offset of an exchange in seconds, with the server's era chosen nearest to the later of local clock and this code. */
export function offsetOf({ receive, transmit }: Packet, { sentUnixNs, receivedUnixNs }: Times): number {
  const there = difference(receive, fromUnixNs(sentUnixNs));
  const back = difference(transmit, fromUnixNs(receivedUnixNs));
  const offset = unitsToSeconds(there + back) / 2;
  // Differences are right within 68 years. A clock that lost its date may be further off than that.
  const serverUnixNs = toUnixNs(transmit, displayPivot(receivedUnixNs));
  const absolute = Number(serverUnixNs - receivedUnixNs) / 1e9;
  return offset + Math.round((absolute - offset) / ERA_SECONDS) * ERA_SECONDS;
}

/** The measurement of an exchange whose reply was accepted. */
export function measure(packet: Packet, times: Times, atSeconds: number): Sample {
  const delaySeconds = Math.max(0, delayOf(packet, times));
  return {
    offsetSeconds: offsetOf(packet, times),
    delaySeconds,
    dispersionSeconds: CLOCK_RESOLUTION_SECONDS + precisionSeconds(packet) + UNKNOWN_RATE * delaySeconds,
    rootDelaySeconds: packet.rootDelaySeconds,
    rootDispersionSeconds: packet.rootDispersionSeconds,
    stratum: packet.stratum,
    leap: packet.leap,
    referenceId: packet.referenceId,
    atSeconds,
  };
}

/**
 * How far the offset can be from true time at the moment of the measurement, if what the server says of
 * itself is true: half of the way to the reference clock and back, and every dispersion on it.
 */
export function boundOf(sample: Sample): number {
  const { delaySeconds, dispersionSeconds, rootDelaySeconds, rootDispersionSeconds } = sample;
  return delaySeconds / 2 + dispersionSeconds + rootDelaySeconds / 2 + rootDispersionSeconds;
}
