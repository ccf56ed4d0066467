/**
 * The command line. yargs splits it and writes the help; nothing more is left to it, because it takes
 * `--port abc` for NaN, a forgotten value for the default and `--no-delay` for `delay: false`. Every
 * value is taken as text and judged by `layers.ts`.
 */
import yargs from 'yargs';
import type { FlagValue } from './layers.ts';
import { nearestName } from './nearest.ts';
import { didYouMean, type Problem, quote } from './problems.ts';
import { defaultText, type NamedSetting, nameSettings, type Settings } from './settings.ts';

/** A flag that is no setting: `--check-config`, `--json`. */
export interface ExtraFlag {
  readonly help: string;
  /** Name of the value in the help; left out for a switch. */
  readonly placeholder?: string;
}

export interface CommandSyntax {
  readonly name: string;
  readonly describe: string;
  /** Names of the arguments in their order: `HOST:PORT`, `[SERVER...]`. */
  readonly operands: readonly string[];
  readonly settings: Settings;
  readonly extraFlags: Readonly<Record<string, ExtraFlag>>;
  /** A line or two under the help. */
  readonly epilogue?: string;
  /** `[command, what it does]` for the end of the help. */
  readonly examples: readonly (readonly [string, string])[];
}

export interface ProgramSyntax {
  readonly name: string;
  readonly version: string;
  readonly describe: string;
  /** The first one is run when no command is named. */
  readonly commands: readonly CommandSyntax[];
}

export type ParsedCommandLine =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'command';
      readonly command: string;
      readonly operands: readonly string[];
      readonly flags: readonly FlagValue[];
      /** The extra flags that were given, by name; '' for a switch. */
      readonly extra: ReadonlyMap<string, string>;
      /** What could not be split; the values of settings are judged by `layers.ts`. */
      readonly problems: readonly Problem[];
    };

/** Splits a command line into a command, its operands and its flags, or gives the text asked for. */
export async function parseCommandLine(
  program: ProgramSyntax,
  argv: readonly string[],
  columns = 100,
): Promise<ParsedCommandLine> {
  const named = program.commands.find(({ name }) => name === argv[0]);
  const command = named ?? program.commands[0];
  if (command === undefined) throw new TypeError(`${program.name} has no commands`);
  const rest = argv.slice(named === undefined ? 0 : 1);

  const rows = nameSettings(program.name, command.settings);
  const parser = describe(program, command, named === undefined, rows).wrap(columns);
  let text = '';
  const parsed = await parser.parseAsync([...rest], {}, (_error, _argv, output) => {
    text = output;
  });
  if (text !== '') return { kind: 'text', text: `${text}\n` };

  const operands = parsed._.map(String);
  const flags: FlagValue[] = [];
  const extra = new Map<string, string>();
  const problems = [...operandProblems(program, command, named === undefined, operands)];
  const known = [...rows.map(({ name }) => name), ...Object.keys(command.extraFlags)];
  for (const [name, texts] of givenFlags(parsed)) {
    const extraFlag = Object.hasOwn(command.extraFlags, name) ? command.extraFlags[name] : undefined;
    const problem = known.includes(name) ? extraFlag && extraProblem(name, extraFlag, texts) : unknownFlag(name, known);
    if (problem !== undefined) problems.push(problem);
    else if (extraFlag === undefined) flags.push({ name, texts });
    else if (texts[0] !== 'false') extra.set(name, texts[0] ?? '');
  }
  return { kind: 'command', command: command.name, operands, flags, extra, problems };
}

function describe(
  program: ProgramSyntax,
  command: CommandSyntax,
  showCommands: boolean,
  rows: readonly NamedSetting[],
): ReturnType<typeof yargs> {
  const usage = [program.name, ...(showCommands ? ['[COMMAND]'] : [command.name]), ...command.operands, '[OPTIONS]'];
  const listed = program.commands.map(({ name, operands, describe }, index) => {
    const form = [name, ...operands].join(' ');
    return `  ${form.padEnd(28)} ${describe}${index === 0 ? ' (default)' : ''}`;
  });
  const heading = showCommands
    ? `${program.describe}\n\nCommands:\n${listed.join('\n')}\n\nOptions of ${command.name}:`
    : command.describe;

  let parser = yargs()
    .scriptName(program.name)
    .usage(`${usage.join(' ')}\n\n${heading}`)
    .version(program.version)
    .help()
    .exitProcess(false)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    });
  for (const { name, setting } of rows) {
    parser = parser.option(name, {
      type: setting.kind.placeholder === '' ? 'boolean' : 'string',
      describe: setting.help,
      group: `${setting.group}:`,
      defaultDescription: defaultText(setting) || 'none',
    });
  }
  for (const [name, { help, placeholder }] of Object.entries(command.extraFlags)) {
    parser = parser.option(name, { type: placeholder === undefined ? 'boolean' : 'string', describe: help });
  }
  for (const [line, what] of command.examples) parser = parser.example(line, what);
  return command.epilogue === undefined ? parser : parser.epilogue(command.epilogue);
}

function operandProblems(
  program: ProgramSyntax,
  command: CommandSyntax,
  isDefault: boolean,
  operands: readonly string[],
): readonly Problem[] {
  const origin = 'command line';
  const required = command.operands.filter((operand) => !operand.startsWith('['));
  const unlimited = command.operands.some((operand) => operand.includes('...'));
  const problems: Problem[] = required.slice(operands.length).map((operand) => ({
    subject: operand,
    origin,
    what: 'is missing',
    expected: `expected ${[program.name, command.name, ...command.operands].join(' ')}`,
  }));
  const surplus = unlimited ? [] : operands.slice(command.operands.length);
  for (const operand of surplus) {
    const names = program.commands.map(({ name }) => name);
    const otherwise = isDefault ? `the commands are ${names.join(', ')}` : `${command.name} takes no such argument`;
    const expected = didYouMean(isDefault ? nearestName(operand, names) : undefined, otherwise);
    problems.push({ subject: quote(operand), origin, what: 'is not understood', expected });
  }
  return problems;
}

function unknownFlag(name: string, known: readonly string[]): Problem {
  const flag = (word: string): string => (word.length === 1 ? `-${word}` : `--${word}`);
  const nearest = nearestName(name, known);
  const expected = didYouMean(nearest && flag(nearest), 'see --help');
  return { subject: flag(name), origin: 'command line', what: 'is an unknown flag', expected };
}

function extraProblem(name: string, { placeholder }: ExtraFlag, texts: readonly string[]): Problem | undefined {
  const about = { subject: name, origin: `flag --${name}` };
  if (texts.length > 1) return { ...about, what: `is given ${texts.length} times`, expected: 'give it once' };
  if (placeholder === undefined || texts[0] !== '') return undefined;
  return { ...about, what: 'has no value', expected: `expected --${name} ${placeholder}` };
}

/** yargs's result as texts by flag; a switch gives `true` or `false`. */
function givenFlags(parsed: Readonly<Record<string, unknown>>): readonly (readonly [string, readonly string[]])[] {
  return Object.entries(parsed)
    .filter(([name, value]) => name !== '_' && name !== '$0' && value !== undefined)
    .map(([name, value]) => [name, [value].flat().map(String)]);
}
