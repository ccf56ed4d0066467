/** The flags of the client commands: what all of them take, and what each adds. */
import { choice, count, duration, text, toggle } from '@small-servers/shared/config/kinds';
import { setting } from '@small-servers/shared/config/settings';

const reachSettings = {
  timeoutMs: setting(duration({ off: true }), {
    default: 30_000,
    group: 'Request',
    help: 'time to connect, and for which nothing may move; a second more for each 10 MB to hash or to store',
  }),
  tokenFile: setting(text({ allowed: 'the path of a readable file', placeholder: 'FILE', maxLength: 4_096 }), {
    default: '',
    group: 'Request',
    help: 'file that holds the token to show; the variable SMALL_SERVERS_FILE_TOKEN holds the token itself',
  }),
} as const;

const connectionSettings = {
  ...reachSettings,
  encoded: setting(toggle(), {
    default: false,
    group: 'Request',
    help: 'remote paths are percent-encoded, as --json prints them: for names that a shell cannot hold',
  }),
} as const;

const retries = setting(count({ min: 0, max: 1_000 }), {
  default: 8,
  group: 'Request',
  help: 'further attempts when a connection is cut or the server is busy; progress earns them again',
});

/** For what may be asked twice without harm. */
export const askSettings = { ...connectionSettings, retries } as const;

/** What it finds is told as it is, at once: nothing is tried again. */
export const probeSettings = reachSettings;

const recursive = setting(toggle(), {
  default: false,
  group: 'Request',
  short: 'r',
  help: 'a folder with everything that is in it',
});

const maxFiles = setting(count(), {
  default: 1_000_000,
  group: 'Request',
  help: 'more entries than this in a listing are refused: it may have no end',
});

const parallel = setting(count({ max: 64 }), {
  default: 2,
  group: 'Request',
  help: 'connections to spread the files of a folder over',
});

const existingKind = choice('replace', 'keep', 'fail');

export const listSettings = { ...askSettings, recursive, maxFiles } as const;

export const getSettings = {
  ...askSettings,
  recursive,
  parallel,
  maxFiles,
  existing: setting(existingKind, {
    default: 'replace',
    group: 'Request',
    help: 'what becomes of a file that is here already; one of the same size and time is never fetched again',
  }),
  verify: setting(choice('auto', 'crc32', 'sha256'), {
    default: 'auto',
    group: 'Request',
    help: 'digest to check: auto is crc32, and sha256 where the server knows it; sha256 makes it find out',
  }),
  fsync: setting(choice('auto', 'each', 'never'), {
    default: 'auto',
    group: 'Request',
    help: 'wait until files are on disk: each one; auto leaves out those up to 256KiB of a folder',
  }),
} as const;

export const putSettings = {
  ...askSettings,
  recursive,
  parallel,
  existing: setting(existingKind, {
    default: 'fail',
    group: 'Request',
    help: 'what becomes of a file that is there already; one of the same content is no failure',
  }),
  digestFirst: setting(toggle(), {
    default: false,
    group: 'Request',
    help: 'read a large file once more, ahead, so that the server refuses wrong bytes in place of storing them',
  }),
} as const;

export const removeSettings = { ...connectionSettings, recursive, maxFiles } as const;

export const moveSettings = {
  ...connectionSettings,
  replace: setting(toggle(), { default: false, group: 'Request', help: 'replace a file that has the new name' }),
} as const;

export const mkdirSettings = {
  ...connectionSettings,
  parents: setting(toggle(), {
    default: false,
    group: 'Request',
    short: 'p',
    help: 'make the folders on the way too, and take one that is there for made',
  }),
} as const;

export const sumSettings = {
  ...askSettings,
  alg: setting(choice('sha256', 'crc32'), { default: 'sha256', group: 'Request', help: 'the digest to print' }),
} as const;
