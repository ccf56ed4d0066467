/** The two ways that datagrams are read and sent, as the listener sees them. */
import type { IpAddress } from '../inet/address.ts';
import type { BufferSize } from '../native/socket-options.ts';
import type { DatagramGate } from './datagram-gate.ts';

/**
 * Makes the answer to a datagram in its place: `memory` holds it from `offset`, `length` bytes. Returns how many bytes
 * from `offset` are the answer (0 to `length`: never more than came in), or -1 for none. Keeps nothing of it.
 */
export type Answer = (memory: Buffer, offset: number, length: number) => number;

export interface DatagramSocketOptions {
  readonly address: IpAddress;
  readonly port: number;
  readonly reusePort: boolean;
  readonly recvBufferBytes: number;
  readonly sendBufferBytes: number;
}

/** What happens between the socket and the gate. */
export interface Exchange {
  readonly gate: DatagramGate;
  readonly answer: Answer;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  /** Reading failed, for a reason that is not a peer's. */
  readonly onReceiveError: (code: string) => void;
}

/** A bound socket from which nothing is read yet. */
export interface BoundDatagramSocket {
  readonly address: string;
  readonly port: number;
  readonly receiveBuffer: BufferSize;
  readonly sendBuffer: BufferSize;
  start(exchange: Exchange): DatagramIo;
  /** Instead of `start`. */
  close(): Promise<void>;
}

export interface DatagramIo {
  /** The socket's descriptor, where it can be had. */
  readonly fd?: number;
  /** Answers what has arrived already, at most so much that it ends. */
  drain(): Promise<void>;
  /** Closes the socket. */
  close(): Promise<void>;
}
