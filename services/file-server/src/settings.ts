/** The settings of file-server: those of every daemon, those of every TCP listener, and its own. */
import { join } from 'node:path';
import { choice, count, duration, size, text, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { daemonSettings } from '@small-servers/shared/daemon/settings';
import { workspaceRoot } from '@small-servers/shared/daemon/state-folder';
import { tcpSettings } from '@small-servers/shared/server/tcp-settings';

/** 7000 + 21, the well-known port of FTP. */
const DEFAULT_PORT = 7021;

/**
 * Of a connection: its socket, the file that it gets or puts, and for moments one more: a directory on the way, the
 * record of an upload. Counted with each, so that readers of large files can not use up what others store with.
 */
export const DESCRIPTORS_EACH = 3;

const folder = text({ allowed: 'the path of a folder', placeholder: 'DIR', accepts: (value) => value !== '' });
const file = text({ allowed: 'the path of a file', placeholder: 'FILE' });

export const settings = {
  ...tcpSettings(DEFAULT_PORT, DESCRIPTORS_EACH),
  root: setting(folder, {
    default: { derive: () => join(workspaceRoot, 'files'), from: './files beside the fleet' },
    group: 'Service',
    help: 'the folder that is served; nothing outside of it is reached',
  }),
  writable: setting(toggle(), {
    default: false,
    group: 'Service',
    help: 'let peers store, rename and delete',
  }),
  tokenFile: setting(file, {
    default: '',
    group: 'Service',
    help: 'file of hashed tokens, one of which a peer must show (AUTH)',
    live: true,
  }),
  auth: setting(choice('writes', 'all'), {
    default: 'writes',
    group: 'Service',
    help: 'what needs a token, where there are any: changes alone, or reading too',
    live: true,
  }),
  maxFileSizeBytes: setting(size({ off: true }), {
    default: 0,
    group: 'Limits',
    help: 'largest file that may be stored',
  }),
  maxTotalSizeBytes: setting(size({ off: true }), {
    default: 0,
    group: 'Limits',
    help: 'bytes that all files below the root may have together',
  }),
  keepUploadsMs: setting(duration({ min: 1_000, off: true }), {
    default: 4 * 24 * 3_600_000,
    group: 'Limits',
    help: 'time after which an upload that was cut and not resumed is deleted; off keeps the newest 1000',
    live: true,
  }),
  maxFilesPerConnection: setting(count({ off: true }), {
    default: 0,
    group: 'Limits',
    help: 'files that one connection may get or put, then it is closed',
    live: true,
  }),
  firstCommandTimeoutMs: setting(duration({ min: 100, off: true }), {
    default: 60_000,
    group: 'Limits',
    help: 'close a connection without a whole command after this time, whatever trickles in',
    live: true,
  }),
  authTimeoutMs: setting(duration({ min: 100, off: true }), {
    default: 60_000,
    group: 'Limits',
    help: 'with --auth all, close a connection that has shown no token after this time',
    live: true,
  }),
  stallTimeoutMs: setting(duration({ min: 100, off: true }), {
    default: 60_000,
    group: 'Limits',
    help: 'cut a transfer that moved no byte for this time; one that moves may take hours',
    live: true,
  }),
  ...daemonSettings('file-server'),
} as const;

export type FileConfig = ConfigOf<typeof settings>;
