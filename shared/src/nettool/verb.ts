/**
 * What every verb of nettool is: a question with arguments, and an answer in two forms, an object for programs
 * (`--json`) and text for people. A verb computes both and prints nothing; this file prints.
 */
import { type Command, type Invocation, reportProblems } from '../cli/program.ts';
import { resolveSettings } from '../config/layers.ts';
import type { Problem } from '../config/problems.ts';
import type { ConfigOf, Settings } from '../config/settings.ts';
import { exitCodes } from '../errors.ts';
import type { Parsed } from '../inet/address.ts';
import { printable } from './format.ts';

export interface Answer {
  /** For `--json`. BigInts become decimal strings, since JSON readers round numbers above 2^53. */
  readonly report: Readonly<Record<string, unknown>>;
  /** For people: lines, each ended by a newline. */
  readonly text: string;
  /** True when what was asked for is not there or did not work: exit code 1. */
  readonly failed?: boolean;
}

/** The arguments were wrong; nothing was done. */
export interface Refusal {
  readonly problems: readonly Problem[];
}

export interface VerbInput<S extends Settings> {
  readonly operands: readonly string[];
  readonly config: ConfigOf<S>;
  /** Names of the switches that were given. */
  readonly switches: ReadonlySet<string>;
}

export interface Verb<S extends Settings> {
  readonly name: string;
  readonly describe: string;
  readonly operands: readonly string[];
  readonly settings: S;
  /** Flags without a value, and what each does. */
  readonly switches: Readonly<Record<string, string>>;
  readonly examples: Command['examples'];
  answer(input: VerbInput<S>): Answer | Refusal | Promise<Answer | Refusal>;
}

/** The verb as a command of the program, with `--json` and its arguments checked all at once. */
export function verbCommand<S extends Settings>(verb: Verb<S>): Command {
  const { name, describe, operands, settings, examples } = verb;
  const switches = Object.entries(verb.switches).map(([flag, help]) => [flag, { help }] as const);
  return {
    name,
    describe,
    operands,
    settings,
    extraFlags: Object.fromEntries([...switches, ['json', { help: 'print one JSON object' }]]),
    examples,
    run: (invocation) => run(verb, invocation),
  };
}

async function run<S extends Settings>(verb: Verb<S>, invocation: Invocation): Promise<number> {
  const { program, operands, flags, extra } = invocation;
  const resolved = resolveSettings(program, verb.settings, { flags });
  const problems = [...invocation.problems, ...resolved.problems];
  if (problems.length > 0) return reportProblems(program, problems);
  const answer = await verb.answer({ operands, config: resolved.config, switches: new Set(extra.keys()) });
  if ('problems' in answer) return reportProblems(program, answer.problems);
  process.stdout.write(extra.has('json') ? `${toJson(answer.report)}\n` : printable(answer.text));
  return answer.failed === true ? exitCodes.failed : exitCodes.success;
}

/** One line of JSON. */
export function toJson(report: Answer['report']): string {
  return JSON.stringify(report, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** The problem with one operand, from the sentence its parser gave. */
export function operandProblem(operand: string, what: string, expected: string): Problem {
  return { subject: operand, origin: 'argument', what, expected: `expected ${expected}` };
}

/** A refusal because of one operand. */
export function refuse(operand: string, parsed: Parsed<unknown> & { ok: false }, expected: string): Refusal {
  return { problems: [operandProblem(operand, parsed.problem, expected)] };
}
