/**
 * Layered configuration: flag > environment > file > default. Every value keeps its origin, and every
 * problem of every layer is reported at once.
 */
import type { FileSection } from './file.ts';
import { nearestName } from './nearest.ts';
import { didYouMean, type Problem, quote } from './problems.ts';
import {
  type ConfigOf,
  defaultOf,
  defaultText,
  type NamedSetting,
  nameSettings,
  type Settings,
  variablePrefix,
} from './settings.ts';

/** A known flag as it was typed: one text for each time it was given; '' when no value followed. */
export interface FlagValue {
  readonly name: string;
  readonly texts: readonly string[];
}

export interface Layers {
  readonly flags: readonly FlagValue[];
  /** The process's environment; left out for commands that read flags alone. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What the file has for this program. */
  readonly file?: FileSection | undefined;
}

export interface Resolved<S extends Settings> {
  /** Frozen; complete also when there are problems (the default stands in), so that checks can go on. */
  readonly config: ConfigOf<S>;
  /** Where each effective value comes from, by property name. */
  readonly origins: Readonly<Record<keyof S & string, string>>;
  readonly problems: readonly Problem[];
}

/** One value of one layer, before it is parsed. */
interface RawValue {
  readonly name: string;
  /** `undefined` when the layer gave something that has no text form. */
  readonly text: string | undefined;
  readonly isArray?: boolean;
  readonly source: string;
  readonly origin: string;
}

interface Layer {
  readonly values: readonly RawValue[];
  readonly problems: readonly Problem[];
}

/** Resolves every setting of a table over the layers that are there. */
export function resolveSettings<S extends Settings>(program: string, settings: S, layers: Layers): Resolved<S> {
  const rows = nameSettings(program, settings);
  const byPrecedence = [
    flagLayer(rows, layers.flags),
    environmentLayer(rows, program, layers.environment ?? {}),
    fileLayer(rows, program, layers.file),
  ];

  const config: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  const problems = byPrecedence.flatMap((layer) => layer.problems);
  for (const { property, name, setting } of rows) {
    config[property] = defaultOf(setting);
    origins[property] = 'default';
    // A wrong value in a lower layer is reported too: it would bite as soon as the flag is left out.
    for (const layer of byPrecedence.toReversed()) {
      for (const raw of layer.values.filter((value) => value.name === name)) {
        const hasText = raw.text !== undefined && (raw.isArray !== true || setting.kind.list);
        const value = hasText ? setting.kind.parse(raw.text) : undefined;
        if (value === undefined) problems.push(refused(raw, setting.kind.allowed));
        config[property] = value ?? config[property];
        origins[property] = raw.origin;
      }
    }
  }
  return {
    config: Object.freeze(config) as ConfigOf<S>,
    origins: origins as Resolved<S>['origins'],
    problems,
  };
}

function refused({ name, text, source, origin }: RawValue, allowed: string): Problem {
  const what = text === '' ? 'has no value' : `${quote(source)} is not allowed`;
  return { subject: name, origin, what, expected: `expected ${allowed}` };
}

function flagLayer(rows: readonly NamedSetting[], flags: readonly FlagValue[]): Layer {
  const problems: Problem[] = [];
  const values: RawValue[] = [];
  for (const { name, texts } of flags) {
    const row = rows.find((candidate) => candidate.name === name);
    const origin = `flag --${name}`;
    if (texts.length > 1 && row?.setting.kind.list === false) {
      problems.push({ subject: name, origin, what: `is given ${texts.length} times`, expected: 'give it once' });
    } else {
      const text = texts.join(',');
      values.push({ name, text, source: text, origin });
    }
  }
  return { values, problems };
}

function environmentLayer(
  rows: readonly NamedSetting[],
  program: string,
  environment: Readonly<Record<string, string | undefined>>,
): Layer {
  const prefix = variablePrefix(program);
  const problems: Problem[] = [];
  const values: RawValue[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith(prefix)) continue;
    const row = rows.find((candidate) => candidate.variable === variable);
    if (row === undefined) {
      const nearest = nearestName(
        variable,
        rows.map((candidate) => candidate.variable),
      );
      const expected = didYouMean(nearest, `no setting has this name; see ${program} --help`);
      problems.push({ subject: variable, origin: 'environment', what: 'is an unknown variable', expected });
    } else {
      values.push({ name: row.name, text, source: text, origin: `variable ${variable}` });
    }
  }
  return { values, problems };
}

function fileLayer(rows: readonly NamedSetting[], program: string, section: FileSection | undefined): Layer {
  if (section === undefined) return { values: [], problems: [] };
  const names = rows.map(({ name }) => name);
  const problems = section.values
    .filter(({ name }) => !names.includes(name))
    .map(({ name, keyOrigin }) => ({
      subject: quote(name),
      origin: keyOrigin,
      what: 'is an unknown key',
      expected: didYouMean(nearestName(name, names), `no setting of ${program} has this name`),
    }));
  return {
    values: section.values.filter(({ name }) => names.includes(name)),
    problems: [...section.problems, ...problems],
  };
}

/** One row of `--print-config`. */
export interface EffectiveSetting {
  readonly value: unknown;
  /** The value as a person would write it. */
  readonly text: string;
  readonly origin: string;
}

/** Every effective value with its origin, by name, in the order of the table. */
export function effectiveSettings<S extends Settings>(
  program: string,
  settings: S,
  { config, origins }: Resolved<S>,
): Readonly<Record<string, EffectiveSetting>> {
  const rows = nameSettings(program, settings).map(({ property, name, setting }) => {
    const value = config[property];
    const origin = origins[property] === 'default' ? defaultOrigin(setting) : origins[property];
    return [name, { value, text: setting.kind.format(value), origin }] as const;
  });
  return Object.fromEntries(rows) as Record<string, EffectiveSetting>;
}

/** A derived default names what it is derived from. */
function defaultOrigin(setting: Settings[string]): string {
  const how = defaultText(setting);
  return how === setting.kind.format(defaultOf(setting)) ? 'default' : `default: ${how}`;
}

/** `--print-config`: one line a setting, `name = value  # origin`, aligned. */
export function formatEffective<S extends Settings>(program: string, settings: S, resolved: Resolved<S>): string {
  const rows = Object.entries(effectiveSettings(program, settings, resolved));
  const lines = rows.map(([name, { text, origin }]) => ({ assignment: `${name} = ${text}`.trimEnd(), origin }));
  const width = Math.max(...lines.map(({ assignment }) => assignment.length));
  return lines.map(({ assignment, origin }) => `${assignment.padEnd(width)}  # ${origin}\n`).join('');
}

/** JSON Schema (2020-12) of one service's section of the configuration file. */
export function sectionSchema(program: string, settings: Settings): Readonly<Record<string, unknown>> {
  const properties = nameSettings(program, settings).map(({ name, setting }) => [
    name,
    { ...setting.kind.jsonSchema, description: `${setting.help}. Default: ${defaultText(setting)}` },
  ]);
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}
