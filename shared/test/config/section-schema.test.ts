import { describe, expect, test } from 'vitest';
import { readSection } from '../../src/config/file.ts';
import { resolveSettings, sectionSchema } from '../../src/config/layers.ts';
import { defaultOf, nameSettings } from '../../src/config/settings.ts';
import { settings } from './example.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Each keyword that our schemas use, as JSON Schema 2020-12 defines it; a keyword that is not here fails the test. */
const keywords: Readonly<Record<string, (expected: never, value: unknown, schema: Schema) => boolean>> = {
  description: () => true,
  type: (types: string | readonly string[], value) => [types].flat().some((type) => typeChecks[type]?.(value)),
  enum: (words: readonly unknown[], value) => words.includes(value),
  minimum: (minimum: number, value) => typeof value !== 'number' || value >= minimum,
  maximum: (maximum: number, value) => typeof value !== 'number' || value <= maximum,
  maxLength: (length: number, value) => typeof value !== 'string' || [...value].length <= length,
  pattern: (pattern: string, value) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  items: (items: Schema, value) => !Array.isArray(value) || value.every((item) => isValid(items, item)),
  additionalProperties: (allowed: boolean, value, { properties }) =>
    allowed || !isObject(value) || Object.keys(value).every((key) => Object.hasOwn(properties as object, key)),
  properties: (properties: Readonly<Record<string, Schema>>, value) =>
    !isObject(value) ||
    Object.entries(properties).every(([key, schema]) => !Object.hasOwn(value, key) || isValid(schema, value[key])),
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const typeChecks: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
};

function isValid(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, expected]) => {
    const check = keywords[keyword];
    if (check === undefined) throw new Error(`no such keyword in JSON Schema, or not known to this test: ${keyword}`);
    return check(expected as never, value, schema);
  });
}

const schema = sectionSchema('echo-tcp', settings);
const fitsSchema = (section: object): boolean => isValid(schema, section);
const fitsParser = (section: object): boolean => {
  const file = readSection({ path: 'servers.json', text: JSON.stringify({ 'echo-tcp': section }) }, 'echo-tcp');
  return resolveSettings('echo-tcp', settings, { flags: [], file }).problems.length === 0;
};

describe('the JSON Schema of a section', () => {
  test('has a row for each setting, with its help and its default', () => {
    const properties = schema.properties as Readonly<Record<string, Schema>>;
    expect(Object.keys(properties)).toEqual(nameSettings('echo-tcp', settings).map(({ name }) => name));
    expect(properties.port?.description).toBe('port to listen on. Default: 7007');
    expect(properties['max-connections']?.description).toBe('connections at a time. Default: what the machine allows');
  });

  test('takes every default, as does the parser', () => {
    for (const { name, setting } of nameSettings('echo-tcp', settings)) {
      const value = defaultOf(setting);
      const asWritten = ['boolean', 'object'].includes(typeof value) ? value : setting.kind.format(value);
      const section = { [name]: typeof value === 'number' && /^\d+$/.test(String(asWritten)) ? value : asWritten };
      expect([name, fitsSchema(section), fitsParser(section)]).toEqual([name, true, true]);
    }
  });

  test.each([
    { port: 0 },
    { port: 65_535 },
    { 'no-delay': false },
    { greeting: 'Hello, Client.' },
    { greeting: '' },
    { 'idle-timeout': '30s' },
    { 'idle-timeout': '1.5m' },
    { 'idle-timeout': 'off' },
    { 'idle-timeout': '0' },
    { 'idle-timeout': 0 },
    { 'recv-buffer': '64KiB' },
    { 'max-connections': 10 },
    { 'max-connections': 0 },
    { 'max-connections': 'off' },
    { allow: ['10.0.0.0/8', '::1/128'] },
    { allow: '10.0.0.0/8' },
    { allow: [] },
    { 'log-level': 'debug' },
    {},
  ])('takes %j, as does the parser', (section) => {
    expect([fitsSchema(section), fitsParser(section)]).toEqual([true, true]);
  });

  test.each([
    { port: -1 },
    { port: 65_536 },
    { port: 1.5 },
    { port: 'abc' },
    { port: [7007] },
    { port: null },
    { 'no-delay': 'yes' },
    { greeting: ['a', 'b'] },
    { greeting: 'x'.repeat(1_025) },
    { greeting: 'a\nb' },
    { 'idle-timeout': 30 },
    { 'idle-timeout': '30' },
    { 'idle-timeout': '' },
    { 'recv-buffer': 65_536 },
    { 'recv-buffer': '64KB' },
    { 'recv-buffer': 'off' },
    { 'max-connections': -1 },
    { 'max-connections': 1.5 },
    { 'max-connections': 'many' },
    { 'max-connections': '007' },
    { allow: [{}] },
    { 'log-level': 'loud' },
    { 'log-level': null },
    { prot: 7007 },
    { idleTimeoutMs: 5 },
  ])('refuses %j, as does the parser', (section) => {
    expect([fitsSchema(section), fitsParser(section)]).toEqual([false, false]);
  });
});
