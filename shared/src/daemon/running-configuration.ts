/** The configuration that is in force, with the origin of each value, through every reload. */
import { type EffectiveSetting, effectiveSettings, type Resolved } from '../config/layers.ts';
import { type Reloaded, reloadSettings } from '../config/reload.ts';
import { type ConfigOf, nameSettings, type Settings } from '../config/settings.ts';

/** One row of `GET /config`. */
export interface RunningSetting extends EffectiveSetting {
  /** The value that waits for a restart, as a person would write it. */
  readonly pending?: string;
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

  /** Takes what can change live; the rest stays as it is and is named as pending. */
  apply(next: Resolved<S>): Reloaded<S> {
    const reloaded = reloadSettings(this.#program, this.#settings, this.config, next);
    this.#pending = new Map(reloaded.needsRestart.map(({ name, to }) => [name, to]));
    const origins: Record<string, string> = { ...next.origins };
    for (const { property, name } of nameSettings(this.#program, this.#settings)) {
      if (this.#pending.has(name)) origins[property] = this.#resolved.origins[property] ?? 'default';
    }
    this.#resolved = { config: reloaded.config, origins: origins as Resolved<S>['origins'], problems: [] };
    return reloaded;
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
