/**
 * `probe --sweep`: the largest size that returns. Datagrams larger than the path's MTU travel in fragments, which
 * many firewalls and tunnels drop: then the answer is what fits into one packet.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { connectionError } from '@small-servers/shared/client/connect';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { systemCode } from '@small-servers/shared/errors';
import { HEADER_BYTES, MAX_DATAGRAM_BYTES, ProbeCodec } from './probe-datagram.ts';
import { openProbeSocket } from './probe-socket.ts';

export interface SweepReport {
  readonly target: string;
  /** The largest size that came back, without headers; `null` when not even the smallest did. */
  readonly largestBytes: number | null;
  /** The same as the length of an IP packet: with 8 bytes of UDP header and 20 (IPv4) or 40 (IPv6) of IP header. */
  readonly packetBytes: number | null;
  /** Sizes tried. */
  readonly tried: number;
}

/** A size counts as not returning after this many losses, so that one lost datagram does not end the search. */
const ATTEMPTS = 3;

const UDP_HEADER_BYTES = 8;
const IP_HEADER_BYTES = { IPv4: 20, IPv6: 40 } as const;

/**
 * The largest size from `low` to `high` for which `returns` holds, given that it holds for all below it; `undefined`
 * when it does not hold for `low`.
 */
export async function largestReturning(
  low: number,
  high: number,
  returns: (size: number) => Promise<boolean>,
): Promise<number | undefined> {
  if (!(await returns(low))) return undefined;
  if (await returns(high)) return high;
  let good = low;
  let bad = high;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await returns(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** @throws AppError as `createProbe` does */
export async function sweep(
  endpoint: Endpoint,
  { timeoutMs }: { readonly timeoutMs: number },
  signal: AbortSignal,
  onTry: (sizeBytes: number) => void,
): Promise<SweepReport> {
  const socket = await openProbeSocket(endpoint);
  // Between two attempts an error would have no listener, which ends the process.
  socket.on('error', () => {});
  let tried = 0;
  try {
    const returns = async (sizeBytes: number): Promise<boolean> => {
      tried += 1;
      onTry(sizeBytes);
      for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
        if (await comesBack(socket, endpoint, sizeBytes, timeoutMs)) return true;
      }
      return false;
    };
    const largest = await largestReturning(HEADER_BYTES, MAX_DATAGRAM_BYTES, returns);
    const family = socket.remoteAddress().family as keyof typeof IP_HEADER_BYTES;
    const headers = UDP_HEADER_BYTES + IP_HEADER_BYTES[family];
    return {
      target: formatHostPort(endpoint),
      largestBytes: largest ?? null,
      packetBytes: largest === undefined ? null : largest + headers,
      tried,
    };
  } finally {
    socket.close();
  }
}

async function comesBack(socket: Socket, endpoint: Endpoint, sizeBytes: number, timeoutMs: number): Promise<boolean> {
  // A session of its own: what comes back late of an earlier size is none of this one's.
  const codec = new ProbeCodec(sizeBytes, randomBytes(8).readBigUInt64BE());
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const onMessage = (bytes: Buffer): void => {
    if (codec.decode(bytes).kind === 'intact') resolve(true);
  };
  const onError = (error: Error): void => {
    // Too long for the path (EMSGSIZE) is an answer; nobody there is none.
    if (systemCode(error) === 'EMSGSIZE') resolve(false);
    else reject(connectionError(endpoint, error));
  };
  socket.on('message', onMessage);
  socket.on('error', onError);
  const timer = setTimeout(() => resolve(false), timeoutMs);
  socket.send(codec.encode({ sequence: 0, sentAtNs: 0 }), (error) => {
    if (error !== null) onError(error);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('message', onMessage);
    socket.off('error', onError);
  }
}
