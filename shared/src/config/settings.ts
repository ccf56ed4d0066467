/**
 * A settings table: one row a setting, from which flags, environment variables, the file's JSON
 * Schema, `--help`, `--print-config` and the README's table are made.
 */
import type { Kind } from './kinds.ts';

/** The heading under which `--help` and the documents list a setting. */
export type SettingGroup =
  | 'Listening'
  | 'Limits'
  | 'Service'
  | 'Running'
  | 'Measuring'
  | 'Request'
  | 'Choosing lines'
  | 'Reading';

export interface Setting<T> {
  readonly kind: Kind<T>;
  /** The value without any layer, or how it is derived from the machine at start. */
  readonly default: T | { readonly derive: () => T; readonly from: string };
  /** One phrase for `--help`, without a full stop. */
  readonly help: string;
  readonly group: SettingGroup;
  /** One letter that may be written for the flag: `r` for `-r`. */
  readonly short?: string;
  /** True when a reload may change it while the daemon runs. */
  readonly live?: boolean;
}

/** Rows by property name; the name ends with its unit (`idleTimeoutMs`, `recvBufferBytes`). */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The frozen object that a settings table gives. */
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** One row of a table: the default is checked against the kind. */
export function setting<T>(kind: Kind<T>, row: Omit<Setting<NoInfer<T>>, 'kind'>): Setting<T> {
  return { kind, ...row };
}

/** One row, with its name in each place where a person can write it. */
export interface NamedSetting {
  /** Property of the configuration object: `idleTimeoutMs`. */
  readonly property: string;
  /** Flag without dashes and key in the file: `idle-timeout`. */
  readonly name: string;
  /** Environment variable: `ECHO_TCP_IDLE_TIMEOUT`. */
  readonly variable: string;
  readonly setting: Setting<unknown>;
}

/** `echo-tcp` to `ECHO_TCP_`: the prefix of its variables. */
export function variablePrefix(program: string): string {
  return `${program.replaceAll('-', '_').toUpperCase()}_`;
}

/** The rows of a table with their names, in the order of the table. */
export function nameSettings(program: string, settings: Settings): readonly NamedSetting[] {
  return Object.entries(settings).map(([property, setting]) => {
    const { unitSuffix } = setting.kind;
    if (!property.endsWith(unitSuffix)) {
      throw new TypeError(`setting ${property}: the name of this kind of value ends with ${unitSuffix}`);
    }
    const stem = property.slice(0, property.length - unitSuffix.length);
    const name = stem.replace(/[A-Z]|(?<=[a-z])\d/g, (character) => `-${character.toLowerCase()}`);
    return { property, name, variable: variablePrefix(program) + name.replaceAll('-', '_').toUpperCase(), setting };
  });
}

/** The default as a value, derived now if it depends on the machine. */
export function defaultOf<T>({ default: value }: Setting<T>): T {
  return isDerived(value) ? (value.derive() as T) : (value as T);
}

/** The default as text for help and documents, the same on every machine. */
export function defaultText<T>({ default: value, kind }: Setting<T>): string {
  return isDerived(value) ? value.from : kind.format(value as T);
}

function isDerived(value: unknown): value is { readonly derive: () => unknown; readonly from: string } {
  return typeof value === 'object' && value !== null && 'derive' in value;
}
