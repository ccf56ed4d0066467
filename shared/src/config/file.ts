/**
 * The configuration file: JSON with comments, one section a service.
 *
 *     { "echo-tcp": { "port": 7007, "idle-timeout": "5m" } }   // keys are the flags' names
 *
 * The text is passed in: nothing here reads a file.
 */
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { nearestName } from './nearest.ts';
import { type Problem, quote } from './problems.ts';

export interface ConfigurationFile {
  /** The path as it was given, for origins. */
  readonly path: string;
  readonly text: string;
}

export interface FileValue {
  readonly name: string;
  /** The value's text; `undefined` when it is no scalar (an object, an array of objects, null). */
  readonly text: string | undefined;
  /** The value as it stands in the file. */
  readonly source: string;
  /** `path:line:column` of the value, both from 1. */
  readonly origin: string;
}

export interface FileSection {
  readonly values: readonly FileValue[];
  readonly problems: readonly Problem[];
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

/** Reads the section of one service; a file without it gives no values and no problem. */
export function readSection(file: ConfigurationFile, service: string): FileSection {
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

  const errors: ParseError[] = [];
  const tree = parseTree(file.text, errors, { allowTrailingComma: true });
  if (errors.length > 0) {
    return {
      values: [],
      problems: errors.map(({ error, offset }) =>
        problemAt(
          offset,
          file.path,
          `not valid JSON: ${printParseErrorCode(error)}`,
          'expected JSON; comments are allowed',
        ),
      ),
    };
  }
  if (tree?.type !== 'object') {
    const expected = `expected an object with one section a service, such as { "${service}": { "port": 7007 } }`;
    return { values: [], problems: [problemAt(0, file.path, 'is no JSON object', expected)] };
  }

  const sections = properties(tree);
  const section = sections.find(({ name }) => name === service);
  if (section === undefined) {
    // Sections of other services are none of our business, but a near miss of our own name is.
    const nearMiss = sections.find(({ name }) => nearestName(name, [service]) === service);
    const problems = nearMiss
      ? [problemAt(nearMiss.offset, quote(nearMiss.name), 'is an unknown section', `did you mean ${quote(service)}?`)]
      : [];
    return { values: [], problems };
  }
  if (section.value.type !== 'object') {
    const what = `is ${section.value.type === 'null' ? 'null' : `of type ${section.value.type}`}`;
    return { values: [], problems: [problemAt(section.value.offset, quote(service), what, 'expected an object')] };
  }

  const problems: Problem[] = [];
  const values = new Map<string, FileValue>();
  for (const { name, value, offset } of properties(section.value)) {
    if (values.has(name)) {
      problems.push(problemAt(offset, name, 'is given twice in this section', 'keep one of the two'));
    }
    values.set(name, {
      name,
      text: scalarText(value),
      source: file.text.slice(value.offset, value.offset + value.length),
      origin: originOf(value.offset),
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
