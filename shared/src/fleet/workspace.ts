/** Where the fleet lives: the services of ecosystem.config.js, what each says of itself, the folders. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeFolder, makePrivateFolder } from '../daemon/private-folder.ts';
import { runFolder, stateFolder, workspaceRoot } from '../daemon/state-folder.ts';
import type { Transport } from '../system/listeners.ts';

/** The part of a pm2 app that the fleet reads, in pm2's words. */
export interface App {
  readonly name: string;
  readonly cwd: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly interpreter: string;
  readonly kill_timeout: number;
  readonly stop_exit_codes: readonly number[];
  readonly out_file: string;
  readonly error_file: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * `smallServers` in a service's package.json. `{host}`, `{port}` and `{endpoint}` are filled in. A service
 * that listens nowhere has no `check`: that it answers on its admin socket is its proof.
 */
interface ServiceManifest {
  readonly transport: Transport;
  /** Arguments of the service's own client command that makes one real round trip. */
  readonly check?: readonly string[];
  /** Where the check's JSON has the round trip in milliseconds: keys separated by dots. */
  readonly latency?: string;
  /** Where it may have a sentence for the person at the keyboard, such as what could not be checked; as `latency`. */
  readonly note?: string;
  /** What a person may paste into a shell to talk to it. */
  readonly try: string;
}

export interface FleetService {
  readonly name: string;
  readonly app: App;
  readonly logFile: string;
  readonly manifest: ServiceManifest;
}

export interface Workspace {
  readonly root: string;
  readonly ecosystemFile: string;
  readonly stateFolder: string;
  readonly logsFolder: string;
  readonly runFolder: string;
  /** pm2's own folder: ours alone, so that a stop never touches what else runs under pm2. */
  readonly pm2Home: string;
  readonly services: readonly FleetService[];
}

/** Reads the fleet's layout and makes the folders that are missing. */
export async function openWorkspace(): Promise<Workspace> {
  const ecosystemFile = join(workspaceRoot, 'ecosystem.config.js');
  const { apps } = (await import(pathToFileURL(ecosystemFile).href)) as { apps: readonly App[] };
  const services = await Promise.all(
    apps.map(async (app) => {
      const { name, out_file: logFile } = app;
      const manifestFile = join(workspaceRoot, 'services', name, 'package.json');
      const { smallServers } = JSON.parse(await readFile(manifestFile, 'utf8')) as { smallServers: ServiceManifest };
      return { name, app, logFile, manifest: smallServers };
    }),
  );
  const logsFolder = join(stateFolder, 'logs');
  await makeFolder(logsFolder);
  await makePrivateFolder(runFolder);
  const pm2Home = process.env.PM2_HOME ?? join(runFolder, 'pm2');
  return { root: workspaceRoot, ecosystemFile, stateFolder, logsFolder, runFolder, pm2Home, services };
}
