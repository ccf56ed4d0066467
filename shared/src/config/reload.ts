/** What a newly read configuration may change while the daemon runs, and what needs a restart. */
import type { Resolved } from './layers.ts';
import { type ConfigOf, nameSettings, type Settings } from './settings.ts';

export interface Change {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface Reloaded<S extends Settings> {
  /** The running configuration with the live changes applied; frozen. */
  readonly config: ConfigOf<S>;
  readonly changed: readonly Change[];
  /** Changes that wait for a restart. */
  readonly needsRestart: readonly Change[];
}

/** Compares by the text forms, which is how a person would see a difference. */
export function reloadSettings<S extends Settings>(
  program: string,
  settings: S,
  running: ConfigOf<S>,
  { config: next }: Pick<Resolved<S>, 'config'>,
): Reloaded<S> {
  const config: Record<string, unknown> = { ...running };
  const changed: Change[] = [];
  const needsRestart: Change[] = [];
  for (const { property, name, setting } of nameSettings(program, settings)) {
    const from = setting.kind.format(running[property]);
    const to = setting.kind.format(next[property]);
    if (from === to) continue;
    (setting.live === true ? changed : needsRestart).push({ name, from, to });
    if (setting.live === true) config[property] = next[property];
  }
  return { config: Object.freeze(config) as ConfigOf<S>, changed, needsRestart };
}
