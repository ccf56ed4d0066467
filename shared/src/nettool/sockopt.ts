/** `nettool sockopt`: the options of a fresh socket, and what asking for buffer sizes really gives. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { formatTable } from '../cli/table.ts';
import { size, toggle } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { type Libc, loadLibc, nativeGaps } from '../native/linux.ts';
import {
  type BufferReport,
  type BufferRequest,
  type BufferSize,
  bindTcp,
  type OptionReading,
  readSocketOptions,
  setBufferSizes,
  withFreshSocket,
} from '../native/socket-options.ts';
import type { Transport } from '../system/listeners.ts';
import { type Answer, refuse, type Verb } from './verb.ts';

const bufferSize = (help: string) =>
  setting(size({ max: 2 ** 30, off: true }), { default: 0, group: 'Request', help: `${help}; off leaves it alone` });

const settings = {
  tcp: setting(toggle(), { default: false, group: 'Request', help: 'a TCP socket; so it is without a flag' }),
  udp: setting(toggle(), { default: false, group: 'Request', help: 'a UDP socket' }),
  recvBufferBytes: bufferSize('SO_RCVBUF to ask for'),
  sendBufferBytes: bufferSize('SO_SNDBUF to ask for'),
} as const;

export const sockopt: Verb<typeof settings, void> = {
  name: 'sockopt',
  describe: 'options of a fresh socket, and what asking for buffers gives',
  operands: [],
  settings,
  examples: [
    ['nettool sockopt', 'the defaults of a TCP socket'],
    ['nettool sockopt --udp --recv-buffer 1MiB', 'is so much granted?'],
  ],
  parseOperands: () => {},
  answer: async (_operands, config) => {
    if (config.tcp && config.udp) return refuse('--tcp --udp', 'are both given', 'choose one');
    const transport: Transport = config.udp ? 'udp' : 'tcp';
    const loaded = loadLibc();
    if (loaded.available) return nativeAnswer(loaded.libc, transport, requestOf(config));
    const buffers =
      transport === 'udp' ? await udpBuffers(requestOf(config)) : setBufferSizes(-1, requestOf(config), loaded);
    return answerFor(transport, [], buffers, nativeGaps[loaded.gap]);
  },
};

function requestOf({ recvBufferBytes, sendBufferBytes }: ConfigOf<typeof settings>): BufferRequest {
  return { receiveBufferBytes: recvBufferBytes || undefined, sendBufferBytes: sendBufferBytes || undefined };
}

function nativeAnswer(libc: Libc, transport: Transport, request: BufferRequest): Answer {
  return withFreshSocket(libc, transport, (fd) => {
    const fresh = readSocketOptions(fd, transport, libc);
    const node = transport === 'tcp' ? nodeReadings(libc) : [];
    const readings = fresh.map((reading, index) => ({ ...reading, inNode: node[index]?.value }));
    return answerFor(transport, readings, setBufferSizes(fd, request));
  });
}

/** The options of a TCP socket as Node opens it for a server. Node shows no descriptor of its UDP sockets. */
function nodeReadings(libc: Libc): readonly OptionReading[] {
  const { socket } = bindTcp({ host: '127.0.0.1', port: 0 }, {});
  try {
    return readSocketOptions(socket.fd(), 'tcp', libc);
  } finally {
    socket.close();
  }
}

/** Where no native call can be made, Node itself still sets and reads the buffers of UDP, and of UDP alone. */
async function udpBuffers({ receiveBufferBytes, sendBufferBytes }: BufferRequest): Promise<BufferReport> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  try {
    await once(socket, 'listening');
    if (receiveBufferBytes !== undefined) socket.setRecvBufferSize(receiveBufferBytes);
    if (sendBufferBytes !== undefined) socket.setSendBufferSize(sendBufferBytes);
    const one = (requestedBytes: number | undefined, effectiveBytes: number): BufferSize => ({
      requestedBytes,
      effectiveBytes,
      limitedBy: requestedBytes !== undefined && effectiveBytes < requestedBytes ? 'the system' : undefined,
    });
    return {
      available: true,
      receive: one(receiveBufferBytes, socket.getRecvBufferSize()),
      send: one(sendBufferBytes, socket.getSendBufferSize()),
    };
  } finally {
    socket.close();
  }
}

/** An option of a socket fresh from the kernel and, where it can be seen, of one that Node has opened. */
interface Reading extends OptionReading {
  readonly inNode: number | undefined;
}

/** The answer from what was read; `gap` says why the options could not be. */
export function answerFor(
  transport: Transport,
  readings: readonly Reading[],
  buffers: BufferReport,
  gap?: string,
): Answer {
  const rows = readings.map(({ option, value, inNode }) => [
    option.name,
    valueText(option.unit, value),
    inNode === undefined ? '-' : valueText(option.unit, inNode),
    option.meaning,
  ]);
  const asked = buffers.available
    ? [bufferText('SO_RCVBUF', buffers.receive), bufferText('SO_SNDBUF', buffers.send)]
    : [];
  const wanted = !buffers.available && Object.values(buffers.request).some((bytes) => bytes !== undefined);
  return {
    report: {
      transport,
      options: Object.fromEntries(
        readings.map(({ option, value, inNode }) => [
          option.name,
          { value, inNode: inNode ?? null, unit: option.unit },
        ]),
      ),
      buffers,
      unavailable: gap ?? null,
    },
    text: [
      gap === undefined
        ? formatTable(['OPTION', 'FRESH', 'IN NODE', 'MEANING'], rows)
        : `options cannot be read: ${gap}\n`,
      ...asked,
      buffers.available ? '' : `buffers cannot be ${wanted ? 'set' : 'read'}: ${buffers.message}\n`,
    ].join(''),
    failed: wanted,
  };
}

function valueText(unit: OptionReading['option']['unit'], value: number): string {
  const units = { bytes: ' B', milliseconds: ' ms', seconds: ' s', count: '', switch: '' } as const;
  if (unit === 'switch') return value === 0 ? 'off' : 'on';
  return `${value}${units[unit]}`;
}

function bufferText(name: string, { requestedBytes, effectiveBytes, limitedBy }: BufferSize): string {
  if (requestedBytes === undefined) return '';
  const ratio = effectiveBytes === 2 * requestedBytes ? ', doubled by Linux for its own book-keeping' : '';
  const why = limitedBy === undefined ? ratio : `, cut down by ${limitedBy}`;
  return `${name}: asked for ${requestedBytes} B, the system gives ${effectiveBytes} B${why}\n`;
}
