/** A datagram socket connected to one server, and the clocks at the moments that count. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Clock, readClocks, type Stamp } from '@small-servers/shared/clock/clock';
import { formatAddress, type IpAddress, parseAddress, unmapped } from '@small-servers/shared/inet/address';
import { openStampedSocket, type StampedSocket } from '@small-servers/shared/native/receive-timestamp';

export interface Remote {
  /** An IP address, without brackets. */
  readonly address: string;
  readonly port: number;
}

export interface Sent {
  /** The clocks right before the datagram went out. */
  readonly stamp: Stamp;
  /** From reading the clock to when the system had the datagram. */
  readonly sendSeconds: number;
}

export interface Arrival {
  readonly bytes: Uint8Array;
  readonly fromAskedServer: boolean;
  readonly stamp: Stamp;
}

export interface Channel {
  /** Throws the system's error. */
  send(bytes: Uint8Array): Sent;
  onArrival(handler: (arrival: Arrival) => void): void;
  onError(handler: (error: NodeJS.ErrnoException) => void): void;
  close(): void;
}

/** Opens a channel on a fresh port; rejects with the system's error. */
export type OpenChannel = (remote: Remote) => Promise<Channel>;

/** Who takes the time stamps: the kernel where it can be asked, this process elsewhere. */
export type Stamping = 'kernel' | 'user';

/** `stamping`: `user` never asks the kernel. */
export function channelOpener(clock: Clock, stamping: Stamping): OpenChannel {
  return async (remote) => {
    const address = parseAddress(remote.address);
    if (!address.ok) throw new TypeError(address.problem);
    if (stamping === 'kernel') {
      const native = await openStampedSocket(address.value, remote.port);
      if (native.available) return kernelChannel(native.socket, remote, clock);
    }
    return userChannel(address.value.family, remote, clock);
  };
}

function isFrom(remote: Remote, from: Remote): boolean {
  return (
    from.port === remote.port && (from.address === remote.address || plain(from.address) === plain(remote.address))
  );
}

/** The one text of an address: IPv4 for a mapped one, no zone. */
function plain(text: string): string {
  const parsed = parseAddress(text);
  if (!parsed.ok) return text;
  const { family, bytes } = parsed.value;
  return formatAddress(unmapped({ family, bytes }));
}

function kernelChannel(socket: StampedSocket, remote: Remote, clock: Clock): Channel {
  return {
    send: (bytes) => {
      const beforeNs = clock.monoNs();
      const wallNs = socket.send(bytes);
      const sendSeconds = Number(clock.monoNs() - beforeNs) / 1e9;
      return { stamp: { wallNs, monoNs: beforeNs }, sendSeconds };
    },
    onArrival: (handler) =>
      socket.onMessage((bytes, from, kernelUnixNs) => {
        const now = readClocks(clock);
        // The kernel had it a little earlier, by both clocks; more than a moment earlier is no stamp of ours.
        const early = kernelUnixNs === undefined ? 0n : now.wallNs - kernelUnixNs;
        const stamp =
          early > 0n && early < LONGEST_WAIT_NS ? { wallNs: now.wallNs - early, monoNs: now.monoNs - early } : now;
        handler({ bytes, fromAskedServer: isFrom(remote, from), stamp });
      }),
    onError: (handler) => socket.onError(handler),
    close: () => socket.close(),
  };
}

/** A datagram waits at most this long in the socket for a process that is busy. */
const LONGEST_WAIT_NS = 10_000_000_000n;

async function userChannel(family: IpAddress['family'], remote: Remote, clock: Clock): Promise<Channel> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  try {
    const connected = once(socket, 'connect');
    socket.connect(remote.port, remote.address);
    await connected;
  } catch (error) {
    socket.close();
    throw error;
  }
  return {
    send: (bytes) => {
      const monoNs = clock.monoNs();
      const wallNs = clock.wallNs();
      socket.send(bytes);
      return { stamp: { wallNs, monoNs }, sendSeconds: Number(clock.monoNs() - monoNs) / 1e9 };
    },
    onArrival: (handler) =>
      void socket.on('message', (bytes, from) => {
        const wallNs = clock.wallNs();
        handler({ bytes, fromAskedServer: isFrom(remote, from), stamp: { wallNs, monoNs: clock.monoNs() } });
      }),
    onError: (handler) => void socket.on('error', handler),
    close: () => void socket.close(),
  };
}
