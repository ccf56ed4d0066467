/** A settings table with every kind of value, for the tests of the layers above it. */
import { choice, count, duration, listOf, port, size, text, toggle } from '../../src/config/kinds.ts';
import { setting } from '../../src/config/settings.ts';

export const settings = {
  host: setting(text({ allowed: 'an address', placeholder: 'ADDRESS' }), {
    default: '127.0.0.1',
    group: 'Listening',
    help: 'address to listen on',
  }),
  port: setting(port(), { default: 7007, group: 'Listening', help: 'port to listen on' }),
  noDelay: setting(toggle(), { default: true, group: 'Listening', help: 'send at once' }),
  logPayload: setting(toggle(), { default: false, group: 'Service', help: 'log what arrives' }),
  greeting: setting(text({ allowed: 'one line of text', placeholder: 'TEXT' }), {
    default: '',
    group: 'Service',
    help: 'a line to send first',
  }),
  idleTimeoutMs: setting(duration({ min: 100, off: true }), { default: 600_000, group: 'Limits', help: 'close after' }),
  recvBufferBytes: setting(size({ max: 2 ** 30 }), { default: 65_536, group: 'Limits', help: 'buffer' }),
  maxConnections: setting(count({ off: true }), {
    default: { derive: () => 1_000, from: 'what the machine allows' },
    group: 'Limits',
    help: 'connections at a time',
  }),
  allow: setting(listOf(text({ allowed: 'a network', placeholder: 'CIDR' })), {
    default: [],
    group: 'Limits',
    help: 'who may connect',
  }),
  logLevel: setting(choice('info', 'debug'), { default: 'info', group: 'Running', help: 'least urgent level' }),
} as const;
