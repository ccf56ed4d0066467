/**
 * The command line. yargs splits it and writes the help; nothing more is left to it, because it takes
 * `--port abc` for NaN, a forgotten value for the default and `--no-delay` for `delay: false`. Every
 * value is taken as text and judged by `layers.ts`. Splitting is yargs's own parser; yargs itself, 40 ms of a start, is
 * loaded when help is asked for.
 */
import Parser from 'yargs-parser';
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

/** Flags of every command. */
const commonFlags: Readonly<Record<string, ExtraFlag>> = {
  help: { help: 'show this help and exit' },
  version: { help: 'show the version and exit' },
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
  const isDefault = named === undefined;

  const rows = nameSettings(program.name, command.settings);
  const extraFlags = { ...command.extraFlags, ...commonFlags };
  const switches = switchNames(rows, extraFlags);
  const words = spellOut(argv.slice(isDefault ? 0 : 1), rows);
  const known = [...rows.map(({ name }) => name), ...Object.keys(extraFlags)];
  const { operands, given } = split(words, known, switches);

  const isAsked = (name: string): boolean => given.get(name)?.some((text) => text !== 'false') ?? false;
  if (isAsked('help') || isAsked('h')) {
    return { kind: 'text', text: `${await helpText(program, command, isDefault, rows, columns)}\n` };
  }
  if (isAsked('version')) return { kind: 'text', text: `${program.version}\n` };

  const judged = judgeFlags(given, words, rows, extraFlags);
  const problems = [...operandProblems(program, command, isDefault, operands), ...judged.problems];
  return { kind: 'command', command: command.name, operands, flags: judged.flags, extra: judged.extra, problems };
}

/** `-r` as the flag that it is short for. */
function spellOut(words: readonly string[], rows: readonly NamedSetting[]): readonly string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  return words.map((word, index) => {
    const row = rows.find(({ setting }) => setting.short !== undefined && word === `-${setting.short}`);
    return row === undefined || index > end ? word : `--${row.name}`;
  });
}

function judgeFlags(
  given: SplitArguments['given'],
  words: readonly string[],
  rows: readonly NamedSetting[],
  extraFlags: Readonly<Record<string, ExtraFlag>>,
): { flags: readonly FlagValue[]; extra: ReadonlyMap<string, string>; problems: readonly Problem[] } {
  const known = [...rows.map(({ name }) => name), ...Object.keys(extraFlags)];
  const flags: FlagValue[] = [];
  const extra = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, texts] of given) {
    const row = rows.find((candidate) => candidate.name === name);
    const extraFlag = Object.hasOwn(extraFlags, name) ? extraFlags[name] : undefined;
    const problem =
      (row && settingProblem(row, texts, words)) ??
      (extraFlag && extraProblem(name, extraFlag, texts)) ??
      ((row ?? extraFlag) ? undefined : unknownFlag(name, known));
    if (problem !== undefined) problems.push(problem);
    else if (row !== undefined) flags.push({ name, texts });
    else if (texts[0] !== 'false') extra.set(name, texts[0] ?? '');
  }
  return { flags, extra, problems };
}

function switchNames(
  rows: readonly NamedSetting[],
  extraFlags: Readonly<Record<string, ExtraFlag>>,
): readonly string[] {
  const settings = rows.filter(({ setting }) => setting.kind.placeholder === '').map(({ name }) => name);
  const extra = Object.entries(extraFlags).filter(([, { placeholder }]) => placeholder === undefined);
  return [...settings, ...extra.map(([name]) => name)];
}

interface SplitArguments {
  readonly operands: readonly string[];
  /** Each flag with one text for each time it was given: 'true' for a switch alone, '' without a value. */
  readonly given: ReadonlyMap<string, readonly string[]>;
}

function split(argv: readonly string[], known: readonly string[], switches: readonly string[]): SplitArguments {
  // yargs reads any value of a switch but `true` as false, `--check-config=yes` and `--no-delay=flase`
  // among them, so a switch with `=` is never shown to it.
  const withValue = new Map<string, string[]>();
  const end = argv.indexOf('--');
  const rest = argv.filter((word, index) => {
    const match = /^--([^=]+)=(.*)$/s.exec(word);
    const name = match?.[1] ?? '';
    if (match === null || (end !== -1 && index > end) || !switches.includes(name)) return true;
    withValue.set(name, [...(withValue.get(name) ?? []), match[2] ?? '']);
    return false;
  });
  const valued = known.filter((name) => !switches.includes(name));
  const { _: operands, ...parsed } = Parser(joinDashes(rest, valued), {
    string: valued,
    boolean: [...switches, 'h'],
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    },
  });
  const given = new Map(withValue);
  for (const [name, value] of Object.entries(parsed)) {
    given.set(name, [...[value].flat().map(String), ...(withValue.get(name) ?? [])]);
  }
  return { operands: operands.map(String), given };
}

/** yargs writes the help; it takes `port PORT` for a name, which shows what the value stands for. */
async function helpText(
  program: ProgramSyntax,
  command: CommandSyntax,
  showCommands: boolean,
  rows: readonly NamedSetting[],
  columns: number,
): Promise<string> {
  const usage = [program.name, ...(showCommands ? ['[COMMAND]'] : [command.name]), ...command.operands, '[OPTIONS]'];
  const { default: yargs } = await import('yargs');
  const heading = showCommands ? program.describe : command.describe;
  let help = yargs([])
    .scriptName(program.name)
    .usage(`${usage.join(' ')}\n\n${heading}`)
    .help(false)
    .version(false)
    .wrap(columns);
  if (showCommands) {
    for (const [index, { name, operands, describe }] of program.commands.entries()) {
      help = help.command([name, ...operands].join(' '), `${describe}${index === 0 ? ' (default)' : ''}`);
    }
  }
  const written = (name: string, placeholder = ''): string => `${name} ${placeholder}`.trimEnd();
  for (const { name, setting } of rows) {
    const short = setting.short === undefined ? '' : ` (also -${setting.short})`;
    help = help.option(written(name, setting.kind.placeholder), {
      describe: `${setting.help}${short} [default: ${defaultText(setting) || 'none'}]`,
      group: `${setting.group}:`,
    });
  }
  for (const [name, { help: describe, placeholder }] of Object.entries({ ...command.extraFlags, ...commonFlags })) {
    help = help.option(written(name, placeholder), { describe });
  }
  const parts = [await help.getHelp()];
  if (command.examples.length > 0) parts.push(`Examples:\n${formatExamples(command.examples, columns)}`);
  if (command.epilogue !== undefined) parts.push(wrapWords(command.epilogue, columns));
  return parts.join('\n\n');
}

const EXAMPLE_INDENT = '  ';
const EXPLANATION_INDENT = '      ';

/**
 * The commands of the examples, each whole on a line of its own, because a person copies the line: yargs would
 * break it where its column ends. What it does stands behind it, and below it where the two do not fit.
 */
function formatExamples(examples: CommandSyntax['examples'], columns: number): string {
  const fits = (width: number, what: string): boolean => EXAMPLE_INDENT.length * 2 + width + what.length <= columns;
  const beside = examples.filter(([line, what]) => fits(line.length, what));
  const widest = Math.max(0, ...beside.map(([line]) => line.length));
  const width = beside.every(([, what]) => fits(widest, what)) ? widest : 0;
  return examples
    .map(([line, what]) =>
      fits(line.length, what)
        ? `${EXAMPLE_INDENT}${line.padEnd(width)}${EXAMPLE_INDENT}${what}`
        : `${EXAMPLE_INDENT}${line}\n${EXPLANATION_INDENT}${what}`,
    )
    .join('\n');
}

/** Lines of at most `columns`, broken at spaces; a word that is longer stays whole. */
function wrapWords(text: string, columns: number): string {
  const wrapLine = (line: string): string =>
    line.split(' ').reduce((wrapped, word) => {
      const lastLine = wrapped.length - wrapped.lastIndexOf('\n') - 1;
      return `${wrapped}${lastLine + 1 + word.length > columns ? '\n' : ' '}${word}`;
    });
  return text.split('\n').map(wrapLine).join('\n');
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

/**
 * `--greeting=` and `--greeting ''` say that nothing is wanted; `--greeting` alone says that a word was
 * forgotten. Only the words as they were typed tell the two apart; all else is judged in `layers.ts`.
 */
function settingProblem(
  { name, setting }: NamedSetting,
  texts: readonly string[],
  words: readonly string[],
): Problem | undefined {
  const onPurpose = words.some((word, at) => word === `--${name}=` || (word === `--${name}` && words[at + 1] === ''));
  if (onPurpose || !texts.includes('')) return undefined;
  return {
    subject: name,
    origin: `flag --${name}`,
    what: 'has no value',
    expected: `expected ${setting.kind.allowed}`,
  };
}

function extraProblem(name: string, { placeholder }: ExtraFlag, texts: readonly string[]): Problem | undefined {
  const about = { subject: name, origin: `flag --${name}` };
  if (texts.length > 1) return { ...about, what: `is given ${texts.length} times`, expected: 'give it once' };
  const [text = ''] = texts;
  if (placeholder === undefined) {
    const allowed = ['true', 'false'].includes(text);
    return allowed
      ? undefined
      : { ...about, what: `${quote(text)} is not allowed`, expected: 'expected true or false' };
  }
  return text === '' ? { ...about, what: 'has no value', expected: `expected --${name} ${placeholder}` } : undefined;
}

/** yargs takes a lone `-` for an operand; behind a flag that needs a value it is the value: standard input. */
function joinDashes(argv: readonly string[], valued: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const isValue = (index: number): boolean =>
    index < end && argv[index] === '-' && valued.some((name) => argv[index - 1] === `--${name}`);
  return argv.flatMap((word, index) => {
    if (isValue(index)) return [];
    return isValue(index + 1) ? [`${word}=-`] : [word];
  });
}
