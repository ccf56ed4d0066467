/**
 * What every verb of nettool is: a question with arguments, and an answer in two forms, an object for programs
 * (`--json`) and text for people. A verb computes both and prints nothing; this file prints.
 */
import { type ClientDefinition, clientCommand } from '../cli/client-command.ts';
import { type Command, reportProblems } from '../cli/program.ts';
import type { Problem } from '../config/problems.ts';
import type { ConfigOf, Settings } from '../config/settings.ts';
import { exitCodes } from '../errors.ts';
import type { Parsed } from '../inet/address.ts';
import { printable } from './format.ts';

export interface Answer {
  /** For `--json`. BigInts become decimal strings, since JSON readers round numbers above 2^53; undefined is null. */
  readonly report: Readonly<Record<string, unknown>>;
  /** For people: lines, each ended by a newline. */
  readonly text: string;
  /** True when what was asked for is not there or did not work: exit code 1. */
  readonly failed?: boolean;
}

/** What is wrong can depend on operands and flags together; then it is found only here. Nothing was done. */
export interface Refusal {
  readonly problems: readonly Problem[];
}

export interface Verb<S extends Settings, O> extends Omit<ClientDefinition<S, O>, 'run'> {
  answer(operands: O, config: ConfigOf<S>, signal: AbortSignal): Answer | Refusal | Promise<Answer | Refusal>;
}

export const PROGRAM = 'nettool';

/** The verb as a command of the program. */
export function verbCommand<S extends Settings, O>({ answer, ...definition }: Verb<S, O>): Command {
  return clientCommand({
    ...definition,
    run: async ({ config, operands, json, signal, print }) => {
      const answered = await answer(operands, config, signal);
      if ('problems' in answered) return reportProblems(PROGRAM, answered.problems);
      const { report, text, failed } = answered;
      print(json ? `${toJson(report)}\n` : printable(text));
      return failed === true ? exitCodes.failed : exitCodes.success;
    },
  });
}

/** One line of JSON. */
export function toJson(report: Answer['report']): string {
  return JSON.stringify(report, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value === undefined ? null : value;
  });
}

/** A refusal for one reason: what is wrong with what, and what to write or do instead. */
export function refuse(subject: string, what: string, expected: string): Refusal {
  return { problems: [{ subject, origin: 'command line', what, expected }] };
}

/** Adds the problem with one operand: what its parser says, and what to write or do instead. */
export function operandProblem(problems: Problem[], subject: string, what: string, expected: string): void {
  problems.push({ subject, origin: 'command line', what, expected });
}

/**
 * The value of an operand, or a problem more. An operand that is missing has its problem already. The value is only
 * looked at when there are no problems, so that in their presence anything may stand for it.
 */
export function take<T>(problems: Problem[], subject: string, parsed: Parsed<T>, expected: string): T {
  if (parsed.ok) return parsed.value;
  operandProblem(problems, subject, parsed.problem, `expected ${expected}`);
  return undefined as never;
}
