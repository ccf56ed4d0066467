/** `preflight`: what a start needs, each line ok or what to do. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { exitCodes } from '../errors.ts';
import { connectionsForDescriptors } from '../server/admission.ts';
import { softDescriptorLimit } from '../server/descriptors.ts';
import { askConfiguration, whyTaken } from './configured-address.ts';
import type { FleetContext } from './start.ts';
import type { SupervisedProcess } from './supervisor.ts';
import type { FleetService, Workspace } from './workspace.ts';

const execFileAsync = promisify(execFile);

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Below this a busy day would meet the limit of open files before any other. */
const COMFORTABLE_DESCRIPTORS = 1_024;

/** This code was written after it; a clock that says less is not set. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2026, 0, 1);

export async function preflight({ workspace, supervisor, print }: FleetContext): Promise<number> {
  const daemonPid = await supervisor.daemonPid();
  const processes = await supervisor.list();
  const findings = [
    await runtime(workspace),
    ...(await Promise.all([workspace.logsFolder, workspace.runFolder].map(folder))),
    descriptors(),
    await clock(),
    pm2(daemonPid, processes, workspace),
    ...(await Promise.all(workspace.services.map((service) => configurationAndPort(service, processes)))).flat(),
  ];
  const width = Math.max(...findings.map(({ what }) => what.length));
  for (const { what, ok, detail } of findings) print(`${ok ? 'ok  ' : 'FAIL'}  ${what.padEnd(width)}  ${detail}\n`);
  return findings.every(({ ok }) => ok) ? exitCodes.success : exitCodes.failed;
}

async function runtime({ root }: Workspace): Promise<Finding> {
  const manifest = JSON.parse(await readFile(`${root}node_modules/node/package.json`, 'utf8')) as { version: string };
  const ok = process.versions.node === manifest.version;
  const detail = ok
    ? `Node ${manifest.version}`
    : `this is Node ${process.versions.node}, not ${manifest.version}: run it as "npx pnpm@12 preflight"`;
  return { what: 'runtime', ok, detail };
}

async function folder(path: string): Promise<Finding> {
  const ok = await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return {
    what: 'folder',
    ok,
    detail: ok ? `${path} can be written` : `${path} can not be written: chown or chmod it`,
  };
}

function descriptors(): Finding {
  const soft = softDescriptorLimit();
  const room = `room for ${connectionsForDescriptors(soft).toLocaleString('en-US')} connections a service`;
  const ok = soft >= COMFORTABLE_DESCRIPTORS;
  const limit = `${soft.toLocaleString('en-US')} open files`;
  return {
    what: 'fd limit',
    ok,
    detail: ok ? `${limit}: ${room}` : `only ${limit}, ${room}: raise it with "ulimit -n 4096"`,
  };
}

/** Where systemd tells whether the clock is kept by NTP, this says so; elsewhere only that it is plausible. */
async function clock(): Promise<Finding> {
  const now = new Date();
  const ok = now.getTime() > EARLIEST_PLAUSIBLE_MS;
  const synchronized = await execFileAsync('timedatectl', ['show', '--property=NTPSynchronized', '--value']).then(
    ({ stdout }) => (stdout.trim() === 'yes' ? 'kept by NTP' : 'not kept by NTP'),
    () => 'whether NTP keeps it is unknown here',
  );
  const detail = ok ? `${now.toISOString()}, ${synchronized}` : `${now.toISOString()} is in the past: set the clock`;
  return { what: 'clock', ok, detail };
}

function pm2(pid: number | undefined, processes: readonly SupervisedProcess[], { pm2Home }: Workspace): Finding {
  const online = processes.filter(({ status }) => status === 'online').length;
  const detail = pid === undefined ? 'not running yet' : `running as process ${pid} with ${online} online`;
  return { what: 'pm2', ok: true, detail: `${detail} (PM2_HOME ${pm2Home})` };
}

/** The service's own word on its configuration, then whether its port can be had. */
async function configurationAndPort(
  service: FleetService,
  processes: readonly SupervisedProcess[],
): Promise<readonly Finding[]> {
  const { name: what } = service;
  const { address, problems } = await askConfiguration(service);
  if (problems !== undefined) return [{ what, ok: false, detail: problems.replaceAll('\n', '\n      ') }];
  const configuration = { what, ok: true, detail: 'configuration OK' };
  if (address === undefined) return [configuration];
  if (processes.some(({ name, status }) => name === what && status === 'online')) {
    return [configuration, { what, ok: true, detail: `has port ${address.port}` }];
  }
  const taken = await whyTaken(service, address);
  return [configuration, { what, ok: taken === undefined, detail: taken ?? `port ${address.port} is free` }];
}
