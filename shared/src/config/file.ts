/**
 * The configuration file: JSON with comments, one section a service.
 *
 *     { "echo-tcp": { "port": 7007, "idle-timeout": "5m" } }   // keys are the flags' names
 *
 * The text is passed in: nothing here reads a file.
 */
import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { nearestName } from './nearest.ts';
import { type Problem, quote } from './problems.ts';

export interface ConfigurationFile {
  /** The path as it was given, for origins. */
  readonly path: string;
  readonly text: string;
}

export interface FileValue {
  readonly name: string;
  /** The value's text; `undefined` when it has none (an object, an array of objects, null). */
  readonly text: string | undefined;
  /** An array of scalars: its text has commas between them, and only a list may be written so. */
  readonly isArray: boolean;
  /** The value as it stands in the file, a string without its quotes. */
  readonly source: string;
  /** `path:line:column` of the value, both from 1. */
  readonly origin: string;
  /** `path:line:column` of its key. */
  readonly keyOrigin: string;
}

export interface FileSection {
  readonly values: readonly FileValue[];
  readonly problems: readonly Problem[];
}

/** Deeper than any setting; the parser below calls itself for each level, so a hostile file could end us. */
const MAX_DEPTH = 32;

/** Where the text nests too deeply, or `undefined`. */
function tooDeepAt(text: string): number | undefined {
  const scanner = createScanner(text, true);
  for (let depth = 0; scanner.getPosition() < text.length; ) {
    scanner.scan();
    // By its first character: a bracket in a string or a comment is in a token that begins otherwise.
    const first = text[scanner.getTokenOffset()] ?? '';
    if (first === '{' || first === '[') depth += 1;
    if (first === '}' || first === ']') depth -= 1;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
  return undefined;
}

/** `PropertyNameExpected` to `property name expected`. */
function inWords(error: ParseError): string {
  return printParseErrorCode(error.error)
    .replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)
    .toLowerCase();
}

/** The text of a JSON scalar, or of an array of scalars; `undefined` for anything else. */
function scalarText(node: Node): string | undefined {
  switch (node.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return String(node.value);
    case 'array': {
      const items = (node.children ?? []).map(scalarText);
      return items.includes(undefined) ? undefined : items.join(',');
    }
    default:
      return undefined;
  }
}

/**
 * Reads the section of one service; a file without it gives no values and no problem. Settings outside any section
 * are problems, because nobody would read them; a name that begins with `$` (`$schema`) is for editors.
 */
export function readSection({ path, text }: ConfigurationFile, service: string): FileSection {
  // Editors on Windows begin a file with a byte order mark.
  const file = { path, text: text.replace(/^\ufeff/, '') };
  const lineStarts = [0, ...Array.from(file.text.matchAll(/\n/g), ({ index }) => index + 1)];
  const originOf = (offset: number): string => {
    const line = lineStarts.findLastIndex((start) => start <= offset);
    return `${file.path}:${line + 1}:${offset - (lineStarts[line] ?? 0) + 1}`;
  };
  const problemAt = (offset: number, subject: string, what: string, expected: string): Problem => ({
    subject,
    origin: originOf(offset),
    what,
    expected,
  });

  const syntax = 'expected JSON; comments are allowed';
  const deep = tooDeepAt(file.text);
  if (deep !== undefined) {
    return { values: [], problems: [problemAt(deep, file.path, `nests deeper than ${MAX_DEPTH} levels`, syntax)] };
  }
  // The first error alone: the rest is mostly the parser's way of finding back.
  const errors: ParseError[] = [];
  const tree = parseTree(file.text, errors, { allowTrailingComma: true });
  const [error] = errors.toSorted((a, b) => a.offset - b.offset);
  if (error !== undefined) {
    const problem = problemAt(error.offset, file.path, `not valid JSON: ${inWords(error)}`, syntax);
    return { values: [], problems: [problem] };
  }
  if (tree?.type !== 'object') {
    const expected = `expected an object with one section a service, such as { "${service}": { "port": 7007 } }`;
    return { values: [], problems: [problemAt(0, file.path, 'is no JSON object', expected)] };
  }

  const sections = properties(tree);
  const section = sections.find(({ name }) => name === service);
  const problems = sections
    .filter((other) => other !== section && !other.name.startsWith('$'))
    .flatMap(({ name, value, offset }) => {
      if (name === service) {
        return problemAt(offset, quote(service), 'is given twice in this file', 'keep one of the two');
      }
      // Sections of other services are none of our business, but a near miss of our own name is.
      if (nearestName(name, [service]) === service) {
        return problemAt(offset, quote(name), 'is an unknown section', `did you mean ${quote(service)}?`);
      }
      if (value.type === 'object') return [];
      const expected = `settings stand in the section of a service: { ${quote(service)}: { ${quote(name)}: ... } }`;
      return problemAt(offset, quote(name), 'is no section', expected);
    });
  if (section === undefined) return { values: [], problems };
  if (section.value.type !== 'object') {
    const what = `is ${section.value.type === 'null' ? 'null' : `of type ${section.value.type}`}`;
    problems.unshift(problemAt(section.value.offset, quote(service), what, 'expected an object'));
    return { values: [], problems };
  }

  const values = new Map<string, FileValue>();
  for (const { name, value, offset } of properties(section.value)) {
    if (values.has(name)) {
      problems.push(problemAt(offset, name, 'is given twice in this section', 'keep one of the two'));
    }
    values.set(name, {
      name,
      text: scalarText(value),
      isArray: value.type === 'array',
      source:
        value.type === 'string' ? String(value.value) : file.text.slice(value.offset, value.offset + value.length),
      origin: originOf(value.offset),
      keyOrigin: originOf(offset),
    });
  }
  return { values: [...values.values()], problems };
}

interface Property {
  readonly name: string;
  readonly value: Node;
  readonly offset: number;
}

function properties(object: Node): readonly Property[] {
  return (object.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? [];
    return key === undefined || value === undefined ? [] : [{ name: String(key.value), value, offset: key.offset }];
  });
}
