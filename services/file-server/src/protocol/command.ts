/**
 * One line as a command, or why it is none.
 *
 *   line = verb *(SP arg) [CR] LF          ; at most 4096 bytes; NUL, bare CR or non-ASCII is an error and closes
 *
 * Specification: docs/protocols/file.md.
 */
import { FileError } from './codes.ts';
import type { Field } from './fields.ts';
import { payloadLength } from './fields.ts';
import { type Arguments, usageOf, type Verb, type VerbName, verbOf, verbs } from './verbs.ts';

export type Command = { readonly [V in VerbName]: { readonly verb: V; readonly args: Arguments<V> } }[VerbName];

/**
 * What comes after a line: so many bytes, chunks, lines up to a dot, nothing, or something of which nobody can tell
 * where it ends, so that nothing after it may be read as a command.
 */
export type Following = number | 'chunked' | 'text' | 'untold';

export type Parsed =
  | { readonly command: Command; readonly error?: undefined }
  | { readonly error: FileError; readonly following: Following; readonly command?: undefined };

/**
 * The text of a line that came without its LF; `''` for a blank one.
 *
 * @throws FileError BADCMD for bytes that are in no line: after them the two ends may not agree on where lines end.
 */
export function lineText(line: Buffer): string {
  const end = line.length > 0 && line[line.length - 1] === 0x0d ? line.length - 1 : line.length;
  const text = line.toString('latin1', 0, end);
  for (let index = 0; index < text.length; index += 1) {
    const byte = text.charCodeAt(index);
    if (byte === 0) throw new FileError('BADCMD', 'NUL is in no line');
    if (byte === 0x0d) throw new FileError('BADCMD', 'CR is in no line, but before LF');
    if (byte > 0x7e) throw new FileError('BADCMD', 'lines are ASCII; in a path, write other bytes as %HH');
  }
  return text;
}

export function parseCommand(text: string): Parsed {
  const [word = '', ...args] = text.split(' ');
  const name = verbOf(word);
  if (name === undefined) return refused(new FileError('BADCMD', 'no such command; HELP lists them'), 0);
  try {
    return { command: { verb: name, args: parseArguments(name, args) } as Command };
  } catch (error) {
    if (error instanceof FileError) return refused(error, followingOf(name, args));
    throw error;
  }
}

function refused(error: FileError, following: Following): Parsed {
  return { error, following };
}

/** What follows a line of this verb, whatever else is wrong with it. */
function followingOf(name: VerbName, args: readonly string[]): Following {
  const { payload }: Verb = verbs[name];
  if (payload === 'text') return 'text';
  if (payload !== 'counted') return 0;
  return payloadLength.parse(args[1] ?? '') ?? 'untold';
}

function parseArguments(name: VerbName, args: readonly string[]): object {
  const { operands, options }: Verb = verbs[name];
  const values: Record<string, unknown> = {};
  let next = 0;
  for (const operand in operands) {
    const text = args[next];
    if (text === undefined) throw bad(`${operand} is missing: ${usageOf(name)}`);
    if (text === '') throw bad(ONE_SPACE);
    values[operand] = parseField(operand, operands[operand] as Field<unknown>, text);
    next += 1;
  }
  for (; next < args.length; next += 1) {
    const arg = args[next] ?? '';
    const equals = arg.indexOf('=');
    const option = arg.slice(0, Math.max(0, equals));
    if (arg === '') throw bad(ONE_SPACE);
    if (!Object.hasOwn(options, option))
      throw bad(`${usageOf(name)}: one argument is too many or unknown; a space is %20`);
    if (Object.hasOwn(values, option)) throw bad(`${option}= is given twice`);
    values[option] = parseField(option, options[option] as Field<unknown>, arg.slice(equals + 1));
  }
  return values;
}

function parseField<T>(name: string, field: Field<T>, text: string): T {
  const value = field.parse(text);
  if (value === undefined) throw bad(`${name} is ${field.allowed}`);
  return value;
}

const ONE_SPACE = 'one space stands between two words, and none at the end';

function bad(message: string): FileError {
  return new FileError('BADARG', message);
}
