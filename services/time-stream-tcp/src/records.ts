/** The records that a time stream writes beside those of every listener; docs/operations.md has their table. */
import type { Log } from '@small-servers/shared/daemon/log';
import { formatDrift, formatMeasuredOffset } from './client-list.ts';
import type { ClockSummary } from './clock-track.ts';
import type { LineProblem } from './protocol.ts';
import type { Arrival } from './sequence.ts';
import type { Stamp } from './stamp.ts';
import type { Moment } from './steady-clock.ts';
import type { Step } from './steps.ts';

/** Who a record is about. */
export interface Subject {
  readonly id: string;
  readonly peer: string;
}

/** To the microsecond: doubles of milliseconds since 1970 have no more. */
const microseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
const ppm = (rate: number): number => Math.round(rate * 1e8) / 100;

/** Many stamps are of the same second: its text is made once. */
let lastSecond = Number.NaN;
let lastSecondText = '';

/** ISO 8601 in UTC with milliseconds. */
function isoMilliseconds(wallMs: number): string {
  const ms = Math.floor(wallMs);
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -4);
  }
  return `${lastSecondText}${String(ms - second * 1000).padStart(3, '0')}Z`;
}

export interface StampReport {
  readonly stamp: Stamp;
  readonly receivedAt: Moment;
  readonly offsetMs: number;
  readonly setMs: number | undefined;
  readonly arrival: Arrival;
  readonly assumedZone: string | undefined;
}

/**
 * As text and not as fields: at ten thousand a second that saves half of what a record costs. Nothing but `pairs` has
 * to be escaped: a stamp's text is digits and separators, the rest is our own.
 */
export function reportStamp(log: Log, { id: conn, peer }: Subject, report: StampReport): void {
  if (!log.isLevelEnabled('info')) return;
  const { stamp, receivedAt, offsetMs, setMs, arrival, assumedZone } = report;
  const more =
    (stamp.seq === undefined ? '' : `,"seq":${stamp.seq}`) +
    (stamp.mono === undefined ? '' : `,"mono":${stamp.mono}`) +
    (setMs === undefined ? '' : `,"setMs":${microseconds(setMs)}`) +
    (arrival === 'next' ? '' : `,"arrival":"${arrival}"`) +
    (assumedZone === undefined ? '' : `,"assumedZone":"${assumedZone}"`) +
    (stamp.pairs === undefined ? '' : `,"pairs":${JSON.stringify(stamp.pairs)}`);
  const own =
    `"conn":"${conn}","peer":"${peer}","clientTime":"${stamp.text}",` +
    `"receivedAt":"${isoMilliseconds(receivedAt.wallMs)}","offsetMs":${microseconds(offsetMs)}${more},` +
    `"msg":"${peer}: ${formatMeasuredOffset(offsetMs, stamp.resolutionMs)}"`;
  log.writeOwn('info', { event: 'stamp', own });
}

export function reportUnlogged(log: Log, { id: conn, peer }: Subject, stamps: number): void {
  log.info(
    { event: 'stamps-unlogged', conn, peer, stamps },
    `${peer}: ${stamps} more stamps than --stamp-records allows were counted and not logged`,
  );
}

export function reportStep(log: Log, { id: conn, peer }: Subject, { stepMs, witness }: Step): void {
  log.warn(
    { event: 'step', conn, peer, stepMs: microseconds(stepMs), witness },
    `${peer} set its clock ${stepMs < 0 ? 'back' : 'forward'} by ${Math.abs(stepMs / 1000).toFixed(3)} s`,
  );
}

export function reportClock(
  log: Log,
  { id: conn, peer }: Subject,
  { wrong, offsetMs, resolutionMs }: { wrong: boolean; offsetMs: number; resolutionMs: number },
): void {
  const fields = { conn, peer, offsetMs: microseconds(offsetMs), resolutionMs };
  const by = formatMeasuredOffset(Math.abs(offsetMs), resolutionMs).replace('+', '');
  if (wrong) {
    const where = offsetMs > 0 ? 'ahead' : 'behind';
    log.warn({ event: 'clock-wrong', ...fields }, `the clock of ${peer} is ${by} ${where}`);
  } else {
    log.info({ event: 'clock-right', ...fields }, `the clock of ${peer} is right again`);
  }
}

export function reportSummary(log: Log, { id: conn, peer }: Subject, summary: ClockSummary, wrong: boolean): void {
  const { stamps, offsetMs, resolutionMs, drift, jitterMs, ...counts } = summary;
  const rate = formatDrift(drift);
  const drifts = rate === undefined ? '' : `, drift ${rate}`;
  log.info(
    {
      event: 'clock-summary',
      conn,
      peer,
      stamps,
      offsetMs: microseconds(offsetMs),
      resolutionMs,
      driftPpm: drift && ppm(drift.rate),
      driftUncertaintyPpm: drift && ppm(drift.uncertainty),
      jitterMs: microseconds(jitterMs),
      ...counts,
      wrong,
    },
    `${peer}: offset ${formatMeasuredOffset(offsetMs, resolutionMs)}${drifts}, by ${stamps} stamp${stamps === 1 ? '' : 's'}`,
  );
}

interface BadLine {
  readonly problem: LineProblem;
  readonly preview: string;
  /** Of this connection, with this one. */
  readonly errors: number;
  /** Since the last such record: those of any connection that have none. */
  readonly unlogged: number;
}

export function reportBadLine(
  log: Log,
  { id: conn, peer }: Subject,
  { problem, preview, errors, unlogged }: BadLine,
): void {
  log.info(
    { event: 'bad-line', conn, peer, reason: problem, preview, errors, unlogged: unlogged || undefined },
    `${peer} sent what is no record: ${preview}`,
  );
}

export function reportServerStep(log: Log, stepMs: number): void {
  const message = `the clock of this machine was set by ${(stepMs / 1000).toFixed(3)} s, or the machine slept`;
  log.warn({ event: 'clock-stepped', stepMs: microseconds(stepMs) }, message);
}
