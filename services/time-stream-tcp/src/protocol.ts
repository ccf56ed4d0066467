/**
 * What is said on a connection: frames in (stamp-decoder.ts cuts them), what they mean out, and every line that the
 * server sends. Pure.
 */
import { nearestName } from '@small-servers/shared/config/nearest';
import { CORE_BYTES, matchCore, parseStamp, type Stamp, type StampProblem, stampProblems } from './stamp.ts';
import { isInterrupt } from './telnet.ts';

/** What can be typed; HELP is made of it. */
export const commands = {
  WATCH: "the server's time, one line a second, on the second",
  TIME: "the server's time, once",
  LIST: 'the clocks of the clients that are connected, the worst first',
  HELP: 'this text',
  QUIT: 'end the connection',
} as const;
export type Command = keyof typeof commands;

const commandNames = Object.keys(commands) as readonly Command[];

/** Why a line was answered with ERR. */
export const lineProblems = {
  unknown: 'neither a time nor a command; HELP says what can be typed',
  'bad-form': 'a time is written 2026-11-20 10:00:00, with all of its digits',
  'too-long': 'the line does not end',
  'not-taken': 'more is asked than is read',
  ...stampProblems,
} as const;
export type LineProblem = keyof typeof lineProblems;

export type Frame =
  | { readonly kind: 'stamp'; readonly stamp: Stamp }
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'blank' }
  | { readonly kind: 'bad'; readonly problem: LineProblem; readonly hint?: Command };

const BLANK: Frame = { kind: 'blank' };

/** Reads one frame, which has no line end any more. */
export function readFrame(bytes: Buffer, start: number, end: number): Frame {
  if (start === end) return BLANK;
  if (matchCore(bytes, start, end) === CORE_BYTES) {
    const stamp: Stamp | { readonly problem: StampProblem } = parseStamp(bytes, start, end);
    return 'problem' in stamp ? { kind: 'bad', problem: stamp.problem } : { kind: 'stamp', stamp };
  }
  if (isInterrupt(bytes, start, end)) return { kind: 'command', command: 'QUIT' };
  const word = bytes.toString('latin1', start, end).trim();
  if (word === '') return BLANK;
  const command = commandNames.find((name) => name === word.toUpperCase());
  if (command !== undefined) return { kind: 'command', command };
  // The beginning of a date or of a time of day: somebody tries.
  if (/^\d{1,4}[-/:.]\d/.test(word)) return { kind: 'bad', problem: 'bad-form' };
  const hint = /^[A-Za-z]+$/.test(word) ? nearestName(word, commandNames) : undefined;
  return { kind: 'bad', problem: 'unknown', ...(hint === undefined ? {} : { hint: hint as Command }) };
}

/** Lines end in the Internet's manner: netcat does not mind, and telnet asks for it. */
const END = '\r\n';

/** `ERR unknown: neither a time nor a command; ...`. */
export function errorLine(problem: LineProblem, hint?: Command): string {
  const meant = hint === undefined ? '' : `; did you mean ${hint}?`;
  return `ERR ${problem}: ${lineProblems[problem]}${meant}${END}`;
}

/**
 * The server's time as a record of this same protocol, so that one server can be piped into another:
 * `2026-11-20T10:00:00.000123Z seq=7 mono=7000123000`.
 *
 * @param seq counts the lines of one WATCH, skipped ones included; left out for TIME
 * @param sinceStartMs of the server, by its monotonic clock
 */
export function timeLine(wallMs: number, sinceStartMs: number, seq?: number): string {
  const mono = Math.round(sinceStartMs * 1e6);
  return `${isoMicroseconds(wallMs)}${seq === undefined ? '' : ` seq=${seq}`} mono=${mono}${END}`;
}

/** What a set wall clock looks like in the stream: `STEP -3600.000000`, seconds. */
export function stepLine(stepMs: number): string {
  const seconds = (stepMs / 1000).toFixed(6);
  return `STEP ${stepMs < 0 ? '' : '+'}${seconds}${END}`;
}

/** ISO 8601 in UTC with six decimals, from milliseconds since 1970 with a fraction. */
export function isoMicroseconds(wallMs: number): string {
  const wholeUs = Math.floor(wallMs * 1000);
  const ms = Math.floor(wholeUs / 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(wholeUs - ms * 1000).padStart(3, '0')}Z`;
}

export function helpText(): string {
  const width = Math.max(...commandNames.map((name) => name.length));
  const lines = [
    'Send your time, once a second: 2026-11-20 10:00:00, or 2026-11-20T10:00:00.123Z seq=1',
    'It is not answered: LIST tells what it is worth, and so does the log.',
    'Or type one of these, and Enter:',
    ...commandNames.map((name) => `  ${name.padEnd(width)}  ${commands[name]}`),
  ];
  return lines.map((line) => line + END).join('');
}

/** Text of several lines as it goes over the wire. */
export const wireText = (text: string): string => text.replaceAll('\n', END);
