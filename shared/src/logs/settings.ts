/** The flags of `pnpm logs`. */
import { join } from 'node:path';
import { choice, count, type Kind, listOf, text, toggle } from '../config/kinds.ts';
import { setting } from '../config/settings.ts';
import { stateFolder } from '../daemon/state-folder.ts';
import { levels } from './filter.ts';
import { parsePeerQuery } from './peer-query.ts';
import { parseWhen } from './when.ts';

/** The folder of the logs that `ecosystem.config.js` names. */
const FLEET_FOLDER = join(stateFolder, 'logs');

/** Shown of each service when nothing asks for more. */
export const DEFAULT_LINES = 10;

function optional<T>(kind: Kind<T>, otherwise = ''): Kind<T | undefined> {
  return { ...kind, format: (value) => (value === undefined ? otherwise : kind.format(value)) };
}

const word = (placeholder: string, allowed: string): Kind<string> =>
  text({ allowed, placeholder, accepts: (value) => value !== '' });

const when = (placeholder: string): Kind<string> =>
  text({
    allowed:
      'how long ago (10m, 2h, 3d), now, or a time in UTC such as 2026-11-20, 2026-11-20T05:04 or 2026-11-20T05:04:17.5Z',
    placeholder,
    accepts: (value) => parseWhen(value, 0) !== undefined,
  });

const pattern = text({
  allowed: 'a regular expression of JavaScript, such as "reset|idle" or "(?i:error)"',
  placeholder: 'RE',
  accepts: (value) => value !== '' && isPattern(value),
});

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}

const lineCount: Kind<number> = {
  ...count({ min: 0 }),
  allowed: 'a whole number, or all',
  placeholder: 'N|all',
  parse: (value) => (value === 'all' ? Number.POSITIVE_INFINITY : count({ min: 0 }).parse(value)),
  format: (value) => (value === Number.POSITIVE_INFINITY ? 'all' : String(value)),
};

const from = {
  dir: setting(word('DIR', 'the path of a folder'), {
    default: { derive: () => FLEET_FOLDER, from: 'logs/ of the fleet' },
    help: 'folder with the log files',
    group: 'Reading',
  }),
  service: setting(listOf(word('S', 'the name of a service')), {
    default: [],
    help: 'only this service; may be given several times',
    group: 'Choosing lines',
  }),
  since: setting(optional(when('WHEN')), {
    default: undefined,
    help: 'from this time on: 10m (ago), 2026-11-20, 2026-11-20T05:04:17Z',
    group: 'Choosing lines',
  }),
  until: setting(optional(when('WHEN')), { default: undefined, help: 'up to this time', group: 'Choosing lines' }),
};

export const statsSettings = from;

export const showSettings = {
  f: setting(toggle(), {
    default: false,
    help: 'follow: go on with what is written from now on, until Ctrl-C',
    group: 'Reading',
  }),
  n: setting(optional(lineCount, `${DEFAULT_LINES}; all of them with a filter or --since, but not with -f`), {
    default: undefined,
    help: 'show the last N lines of every service',
    group: 'Reading',
  }),
  ...from,
  level: setting(optional(choice(...levels)), {
    default: undefined,
    help: 'this level and the more urgent ones',
    group: 'Choosing lines',
  }),
  peer: setting(
    optional(
      text({
        allowed: 'an address, an address with a port, or a block: 192.0.2.7, [::1]:50000, 10.0.0.0/8',
        placeholder: 'PEER',
        accepts: (value) => parsePeerQuery(value) !== undefined,
      }),
    ),
    { default: undefined, help: 'only this peer: ADDRESS, ADDRESS:PORT or CIDR', group: 'Choosing lines' },
  ),
  conn: setting(optional(word('CONN', 'the short id of a connection')), {
    default: undefined,
    help: 'the whole story of one connection, as a timeline',
    group: 'Choosing lines',
  }),
  event: setting(listOf(word('EVENT', 'the name of an event')), {
    default: [],
    help: 'only this event; may be given several times',
    group: 'Choosing lines',
  }),
  grep: setting(optional(pattern), {
    default: undefined,
    help: 'lines of the files that match a regular expression',
    group: 'Choosing lines',
  }),
};
