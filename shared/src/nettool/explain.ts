/** `nettool explain`: what an error means, which call returns it, and who can mend it. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { nearestName } from '../config/nearest.ts';
import { didYouMean, quote } from '../config/problems.ts';
import { type ErrorCode, errorKinds } from '../errors.ts';
import { type Explanation, explanations, synonyms, systemErrorOf } from './error-table.ts';
import { labelled } from './format.ts';
import { type Answer, operandProblem, type Verb } from './verb.ts';

export const explain: Verb<Record<string, never>, Found> = {
  name: 'explain',
  describe: 'what an error means, which call returns it, who can mend it',
  operands: ['ERRNO|CODE'],
  settings: {},
  examples: [
    ['nettool explain ECONNREFUSED', 'by name'],
    ['nettool explain 111', 'by number, as this system counts'],
  ],
  parseOperands: ([text = ''], problems) => {
    const found = find(text);
    if (found.known !== undefined || found.system !== undefined || found.own !== undefined) return found;
    const names = [...explanations.keys(), ...Object.keys(errorKinds), ...systemErrors().map(({ name }) => name)];
    const otherwise = 'expected a name such as ECONNREFUSED, a number such as 111, or a code of docs/errors.md';
    const hint = didYouMean(nearestName(found.code, names), otherwise);
    operandProblem(problems, 'ERRNO|CODE', `${quote(text)} is no error of this system`, hint);
    return found;
  },
  answer: answerFor,
};

interface SystemError {
  readonly number: number;
  readonly name: string;
  readonly message: string | undefined;
}

/** An error as it was asked for, and what is known about it from each side. */
interface Found {
  readonly query: string;
  /** The system's name of it, or the project's own where it has none. */
  readonly code: string;
  readonly own: ErrorCode | undefined;
  readonly known: Explanation | undefined;
  readonly system: SystemError | undefined;
}

/** Name look-ups have no errno; libuv numbers theirs from 3000 on. */
const LAST_ERRNO = 999;

/** This system's errors: those that libuv has a message for, which it counts negative, and the rest by name alone. */
function systemErrors(): readonly SystemError[] {
  const described = [...getSystemErrorMap()].map(([number, [name, message]]) => ({ number: -number, name, message }));
  const names = new Set(described.map(({ name }) => name));
  const others = Object.entries(constants.errno).filter(([name]) => !names.has(name));
  return [...described, ...others.map(([name, number]) => ({ number, name, message: undefined }))];
}

function find(query: string): Found {
  const own = ownCode(query);
  const written = own === undefined ? systemName(query) : (systemErrorOf[own] ?? own);
  const code = Object.hasOwn(synonyms, written) ? (synonyms[written] ?? written) : written;
  const system = systemErrors().find(({ name }) => name === code);
  return { query, code, own, known: explanations.get(code), system };
}

function ownCode(text: string): ErrorCode | undefined {
  return Object.hasOwn(errorKinds, text.toUpperCase()) ? (text.toUpperCase() as ErrorCode) : undefined;
}

function systemName(text: string): string {
  if (!/^-?\d{1,5}$/.test(text)) return text.toUpperCase();
  const number = Math.abs(Number(text));
  return systemErrors().find((error) => error.number === number)?.name ?? text;
}

function errnoOf(system: SystemError | undefined): number | undefined {
  return system === undefined || system.number > LAST_ERRNO ? undefined : system.number;
}

function answerFor({ query, code, own, known, system }: Found): Answer {
  const kind = own === undefined ? undefined : errorKinds[own];
  const number = errnoOf(system);
  const systemError = (known ?? system) === undefined ? undefined : code;
  const words = known?.words ?? system?.message;
  const mender = kind?.mender ?? known?.mender;
  const next = known?.next ?? (own === undefined ? undefined : 'See docs/errors.md.');
  return {
    report: {
      query,
      code: own ?? code,
      systemError: systemError ?? null,
      number: number ?? null,
      words: words ?? null,
      calls: known?.calls ?? [],
      cause: known?.cause ?? null,
      mender: mender ?? null,
      next: next ?? null,
      exitCode: kind?.exitCode ?? null,
    },
    text: labelled([
      ['error', own ?? code],
      ['system error', own && systemError],
      ['number', number === undefined ? undefined : `${number} on this system`],
      ['means', words],
      ['returned by', known?.calls.join(', ')],
      ['likely cause', known?.cause],
      ['who can mend it', mender],
      ['what to try', next],
      ['exit code', kind?.exitCode],
    ]),
  };
}
