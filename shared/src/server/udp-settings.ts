/** The settings that every UDP listener has. */
import { choice, count, duration, type Kind, port, size, toggle } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { accessSettings } from './access-settings.ts';
import { host } from './host-kind.ts';

/** What `auto` stands for, for sources beyond this machine. */
export const AUTO_RATE_PER_SOURCE = 10_000;

/** 0: no limit. */
export type RatePerSource = number | 'auto';

const rateCount = count({ off: true, max: 1_000_000_000 });

const rate: Kind<RatePerSource> = {
  ...rateCount,
  allowed: `${rateCount.allowed}, or auto for ${AUTO_RATE_PER_SOURCE} and no limit for this machine's loopback`,
  placeholder: 'N|auto',
  parse: (text) => (text === 'auto' ? text : rateCount.parse(text)),
  format: (value) => (value === 'auto' ? value : rateCount.format(value)),
  jsonSchema: { ...rateCount.jsonSchema, type: ['integer', 'string'], pattern: '^(\\d+|off|auto)$' },
};

/** The largest socket buffer that Linux can be asked for: it keeps twice the size in a signed 32-bit number. */
const MAX_BUFFER_BYTES = 2 ** 30;

/** The rows, with the service's own default port. */
export function udpSettings(defaultPort: number) {
  return {
    host: setting(host(), {
      default: '127.0.0.1',
      group: 'Listening',
      help: 'address to listen on; :: takes IPv6 and IPv4, 0.0.0.0 IPv4 alone',
    }),
    port: setting(port(), { default: defaultPort, group: 'Listening', help: 'port to listen on; 0 takes a free one' }),
    reusePort: setting(toggle(), {
      default: false,
      group: 'Listening',
      help: 'let several processes share the port and the load (SO_REUSEPORT)',
    }),
    recvBufferBytes: setting(size({ min: 1, max: MAX_BUFFER_BYTES, off: true }), {
      default: 4 * 1024 ** 2,
      group: 'Listening',
      help: "room for datagrams that wait to be read, up to the system's limit; off keeps the system's default",
    }),
    sendBufferBytes: setting(size({ min: 1, max: MAX_BUFFER_BYTES, off: true }), {
      default: 0,
      group: 'Listening',
      help: "room for answers that wait to be sent, up to the system's limit; off keeps the system's default",
    }),
    io: setting(choice('auto', 'batch', 'dgram'), {
      default: 'auto',
      group: 'Listening',
      help: 'how datagrams are read and sent: by the batch (Linux), one by one, or batch where it can be had',
    }),
    ratePerSource: setting(rate, {
      default: 'auto',
      group: 'Limits',
      help: `datagrams a second from one source (an IPv4 address, an IPv6 /64), and at once after a pause; auto is ${AUTO_RATE_PER_SOURCE}, without a limit for loopback addresses`,
      live: true,
    }),
    maxSources: setting(count({ max: 1_000_000 }), {
      default: 65_536,
      group: 'Limits',
      help: 'sources remembered at a time; when none may be forgotten yet, new ones get no answer',
    }),
    ...accessSettings,
    summaryIntervalMs: setting(duration({ min: 100 }), {
      default: 10_000,
      group: 'Running',
      help: 'time between records of what each source sent, and between those of what was dropped',
    }),
  } as const;
}

export type UdpConfig = ConfigOf<ReturnType<typeof udpSettings>>;
