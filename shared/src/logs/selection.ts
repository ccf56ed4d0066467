/** What the flags common to every command choose: files, services, times. */
import { nearestName } from '../config/nearest.ts';
import { didYouMean } from '../config/problems.ts';
import type { ConfigOf } from '../config/settings.ts';
import { AppError, systemCode } from '../errors.ts';
import { escapeText } from './escape.ts';
import { type LogFile, openLogs, servicesIn } from './files.ts';
import type { statsSettings } from './settings.ts';
import { parseWhen } from './when.ts';

/** A file's time of change comes from a clock that is a few milliseconds behind. */
const COARSE_CLOCK_MS = 1000;

export interface Selection {
  readonly folder: string;
  readonly isWanted: (service: string) => boolean;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

/** `nowMs` in milliseconds since 1970. */
export function selectionOf(config: ConfigOf<typeof statsSettings>, nowMs: number): Selection {
  const { dir, service, since, until } = config;
  return {
    folder: dir,
    isWanted: (name) => service.length === 0 || service.includes(name),
    sinceMs: since === undefined ? undefined : parseWhen(since, nowMs),
    untilMs: until === undefined ? undefined : parseWhen(until, nowMs),
  };
}

/** Opens the logs that are chosen. Throws `LOGS_NOT_FOUND` or `LOGS_UNREADABLE`. */
export function openSelection({ folder, isWanted }: Selection): LogFile[] {
  try {
    return openLogs(folder, isWanted);
  } catch (error) {
    const { message } = error as Error;
    throw new AppError('LOGS_UNREADABLE', `the logs in ${folder} cannot be read: ${message}`, { cause: error });
  }
}

/** Whether a file can hold lines of the time that is asked for: what was last written before it, cannot. */
export function mayHold(file: LogFile, sinceMs: number | undefined): boolean {
  return sinceMs === undefined || !file.rotated || file.modifiedMs >= sinceMs - COARSE_CLOCK_MS;
}

/** Says which file was not read to its end; the rest is shown all the same. */
export function reportDamage({ path }: LogFile, error: Error): void {
  process.stderr.write(
    `logs: ${escapeText(path)} could not be read to its end (${systemCode(error) ?? error.message}); the rest of it is missing here\n`,
  );
}

/** No logs, or none of the services asked for; a name that is mistyped or cut short is told by those that are there. */
export function noLogs({ folder }: Selection, services: readonly string[]): AppError {
  const what = services.length === 0 ? 'no logs' : `no logs of ${services.map(escapeText).join(', ')}`;
  const there = services.length === 0 ? [] : servicesIn(folder);
  const meant = services.flatMap(
    (given) => nearestName(given, there) ?? there.filter((name) => name.startsWith(given)),
  );
  const hint = didYouMean(
    meant.length === 0 ? undefined : meant.map(escapeText).join(' or '),
    'they are written there once the fleet runs (pnpm start)',
  );
  return new AppError('LOGS_NOT_FOUND', `${what} in ${folder}; ${hint}`);
}
