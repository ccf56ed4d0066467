/** The settings that every TCP listener has. */
import { choice, count, duration, port, size, toggle } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { accessSettings } from './access-settings.ts';
import { connectionsForDescriptors, RESERVED_DESCRIPTORS } from './admission.ts';
import { softDescriptorLimit } from './descriptors.ts';
import { host } from './host-kind.ts';

/** The largest that Linux can be asked for: it keeps twice the size in a signed 32-bit number. */
const bufferSize = size({ min: 1, max: 2 ** 30, off: true });

/** The rows, with the service's own default port, and how many descriptors it may take for a connection. */
export function tcpSettings(defaultPort: number, descriptorsEach = 1) {
  const share = descriptorsEach === 1 ? '' : `, divided by ${descriptorsEach}`;
  return {
    host: setting(host(), {
      default: '127.0.0.1',
      group: 'Listening',
      help: 'address to listen on; :: takes IPv6 and IPv4, 0.0.0.0 IPv4 alone',
    }),
    port: setting(port(), { default: defaultPort, group: 'Listening', help: 'port to listen on; 0 takes a free one' }),
    backlog: setting(count({ min: 1, max: 65_535 }), {
      default: 511,
      group: 'Listening',
      help: 'connections the system may hold ready before they are accepted',
    }),
    reusePort: setting(toggle(), {
      default: false,
      group: 'Listening',
      help: 'let several processes share the port (SO_REUSEPORT)',
    }),
    noDelay: setting(toggle(), {
      default: true,
      group: 'Listening',
      help: 'send small writes at once (TCP_NODELAY); --no-delay=false waits to fill segments',
    }),
    keepAliveMs: setting(duration({ min: 1_000, off: true }), {
      default: 60_000,
      group: 'Listening',
      help: 'probe a silent peer after this time (SO_KEEPALIVE)',
    }),
    recvBufferBytes: setting(bufferSize, {
      default: 0,
      group: 'Listening',
      help: "the kernel's buffer for what arrives on a connection; off lets the system adapt it",
    }),
    sendBufferBytes: setting(bufferSize, {
      default: 0,
      group: 'Listening',
      help: "the kernel's buffer for what is sent on a connection; off lets the system adapt it",
    }),
    io: setting(choice('onread', 'data'), {
      default: 'onread',
      group: 'Listening',
      help: "how bytes are read: into a buffer that is used again, or by 'data' events",
    }),
    minRateBytes: setting(size({ off: true }), {
      default: 8,
      group: 'Limits',
      help: 'a connection that moves less than this a second, in half a minute, is slow',
      live: true,
    }),
    slowPeers: setting(choice('make-room', 'close'), {
      default: 'make-room',
      group: 'Limits',
      help: 'slow connections are closed when all places are taken and one is needed, or as soon as they are slow',
      live: true,
    }),
    ...accessSettings,
    maxConnections: setting(count({ off: true }), {
      default: {
        derive: () => connectionsForDescriptors(softDescriptorLimit(), descriptorsEach),
        from: `the limit of open files less ${RESERVED_DESCRIPTORS}${share}`,
      },
      group: 'Limits',
      help: 'connections open at a time',
      live: true,
    }),
    maxConnectionsPerSource: setting(count({ off: true }), {
      default: 0,
      group: 'Limits',
      help: 'connections open at a time from one address',
      live: true,
    }),
    idleTimeoutMs: setting(duration({ min: 100, off: true }), {
      default: 600_000,
      group: 'Limits',
      help: 'close a connection on which nothing moved for this time',
      live: true,
    }),
    maxLifetimeMs: setting(duration({ min: 100, off: true }), {
      default: 0,
      group: 'Limits',
      help: 'close a connection after this time, whatever it does',
      live: true,
    }),
  } as const;
}

export type TcpConfig = ConfigOf<ReturnType<typeof tcpSettings>>;
