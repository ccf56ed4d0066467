/**
 * What every program does around its commands: split the command line, print help, report problems
 * and errors, exit. With the daemon runner the only part of shared that touches the process.
 */
import { type CommandSyntax, parseCommandLine } from '../config/command-line.ts';
import type { FlagValue } from '../config/layers.ts';
import { formatProblem, type Problem } from '../config/problems.ts';
import { AppError, exitCodes } from '../errors.ts';
import { endWithoutOutput, written } from './standard-output.ts';

/** A command line that was split; its settings are still to be resolved. */
export interface Invocation {
  readonly program: string;
  readonly operands: readonly string[];
  readonly flags: readonly FlagValue[];
  readonly extra: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

export interface Command extends CommandSyntax {
  /** Resolves to the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** A command of which no more is known than its name until it is asked for, or all are, for help. */
export interface CommandLoader {
  readonly name: string;
  load(): Promise<Command>;
}

export interface Program {
  readonly name: string;
  readonly version: string;
  readonly describe: string;
  /** The first one is run when no command is named. */
  readonly commands: readonly (Command | CommandLoader)[];
}

/** Runs one command of a program and ends the process with its exit code. */
export async function runProgram(program: Program): Promise<never> {
  try {
    process.exit(await run(program, process.argv.slice(2)));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`${program.name}: ${error.message}\n`);
    process.exit(error.exitCode);
  }
}

async function run(program: Program, argv: readonly string[]): Promise<number> {
  const columns = Math.min(process.stdout.columns ?? 100, 120);
  const named = program.commands.filter(({ name }) => name === argv[0]);
  const wanted = named.length > 0 ? named : program.commands;
  const commands = await Promise.all(wanted.map((command) => ('load' in command ? command.load() : command)));
  const parsed = await parseCommandLine({ ...program, commands }, argv, columns);
  if (parsed.kind === 'text') {
    endWithoutOutput(program.name, exitCodes.readerLeft);
    process.stdout.write(parsed.text);
    await written(process.stdout);
    return exitCodes.success;
  }
  const command = commands.find(({ name }) => name === parsed.command);
  return command === undefined ? exitCodes.configuration : command.run({ ...parsed, program: program.name });
}

/** Every problem on its own line of stderr; the exit code to go on with. */
export function reportProblems(program: string, problems: readonly Problem[]): number {
  for (const problem of problems) process.stderr.write(`${program}: ${formatProblem(problem)}\n`);
  return exitCodes.configuration;
}
