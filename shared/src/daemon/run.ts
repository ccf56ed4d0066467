/**
 * The `serve` command: what a command line and its help need to know of a daemon. All else is loaded when it is run:
 * every client command passes through here too.
 */
import type { Command } from '../cli/program.ts';
import type { Resolved } from '../config/layers.ts';
import type { Problem } from '../config/problems.ts';
import type { ConfigOf, Settings } from '../config/settings.ts';
import { CONFIG_VARIABLE } from './configuration.ts';
import type { Log } from './log.ts';
import type { Service } from './service.ts';
import type { DaemonConfig } from './settings.ts';

export interface ServiceContext<S extends Settings> {
  /** Frozen. */
  readonly config: ConfigOf<S>;
  readonly log: Log;
  /** Aborted to stop; the service then drains by itself. */
  readonly signal: AbortSignal;
  /** A socket from the supervisor, to be listened on in place of the configured address. */
  readonly inheritedFd?: number | undefined;
}

export interface DaemonDefinition<S extends Settings> {
  readonly service: string;
  readonly describe: string;
  readonly settings: S;
  readonly examples: Command['examples'];
  /**
   * What is wrong with values that are each allowed, but not together. Asked at the start and at each SIGHUP, there of
   * what was read and, where some of it waits for a restart, of what would be in force until then.
   */
  check?(resolved: Resolved<S>): readonly Problem[] | Promise<readonly Problem[]>;
  createServer(context: ServiceContext<S>): Promise<Service<ConfigOf<S>>>;
}

/** The `serve` command of a daemon. */
export function daemonCommand<S extends Settings>(
  name: string,
  definition: DaemonDefinition<S> & { readonly settings: S & Record<keyof DaemonConfig, unknown> },
): Command {
  return {
    name,
    describe: definition.describe,
    operands: [],
    settings: definition.settings,
    extraFlags: {
      config: { help: `configuration file: JSON with comments (also ${CONFIG_VARIABLE})`, placeholder: 'FILE' },
      'check-config': { help: 'check the configuration and exit' },
      'print-config': { help: 'print every effective value and its origin and exit' },
      json: { help: 'with --print-config: as JSON' },
    },
    examples: definition.examples,
    run: async (invocation) => (await import('./life.ts')).runDaemon(definition, invocation),
  };
}
