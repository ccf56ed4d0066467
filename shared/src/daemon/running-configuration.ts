/** The configuration that is in force, with the origin of each value, through every reload. */
import { type EffectiveSetting, effectiveSettings, type Resolved } from '../config/layers.ts';
import { type Change, reloadSettings } from '../config/reload.ts';
import { type ConfigOf, nameSettings, type Settings } from '../config/settings.ts';

/** One row of `GET /config`. */
export interface RunningSetting extends EffectiveSetting {
  /** The value that waits for a restart, as a person would write it. */
  readonly pending?: string;
}

/** A newly read configuration, as far as it can be in force without a restart. */
export interface Merged<S extends Settings> {
  readonly resolved: Resolved<S>;
  readonly changed: readonly Change[];
  /** Changes that wait for a restart. */
  readonly needsRestart: readonly Change[];
}

export class RunningConfiguration<S extends Settings> {
  readonly #program: string;
  readonly #settings: S;
  #resolved: Resolved<S>;
  #pending: ReadonlyMap<string, string> = new Map();

  constructor(program: string, settings: S, resolved: Resolved<S>) {
    this.#program = program;
    this.#settings = settings;
    this.#resolved = resolved;
  }

  get config(): ConfigOf<S> {
    return this.#resolved.config;
  }

  /**
   * What would be in force if `next` were applied now: its values of what can change live, and of all else those that
   * were there at the start, each with the origin that it really has.
   */
  merge(next: Resolved<S>): Merged<S> {
    const { config, changed, needsRestart } = reloadSettings(this.#program, this.#settings, this.config, next);
    const waiting = new Set(needsRestart.map(({ name }) => name));
    const origins: Record<string, string> = { ...next.origins };
    for (const { property, name } of nameSettings(this.#program, this.#settings)) {
      if (waiting.has(name)) origins[property] = this.#resolved.origins[property] ?? 'default';
    }
    const resolved = { config, origins: origins as Resolved<S>['origins'], problems: [] };
    return { resolved, changed, needsRestart };
  }

  /** Puts it in force; what waits for a restart is named as pending. */
  apply({ resolved, needsRestart }: Merged<S>): void {
    this.#resolved = resolved;
    this.#pending = new Map(needsRestart.map(({ name, to }) => [name, to]));
  }

  /** Every value in force by the setting's name, in the order of the table. */
  describe(): Readonly<Record<string, RunningSetting>> {
    const rows = Object.entries(effectiveSettings(this.#program, this.#settings, this.#resolved));
    return Object.fromEntries(
      rows.map(([name, row]) => {
        const pending = this.#pending.get(name);
        return [name, pending === undefined ? row : { ...row, pending }];
      }),
    );
  }
}
