/**
 * Echo (RFC 862, UDP): the data of a datagram is sent back as it came. Nothing in it means anything here, and a
 * datagram without data is answered by one without data.
 */
import type { Answer } from '@small-servers/shared/server/datagram-io';

/** The request, all of it, is the answer. */
export const echo: Answer = (_memory, _offset, length) => length;
