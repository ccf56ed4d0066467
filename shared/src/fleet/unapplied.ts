/** Settings of now (this shell's variables, the configuration file) that a running service does not have. */
import { askAdmin } from '../daemon/admin-client.ts';
import { processSocketPath } from '../daemon/admin-socket.ts';
import { askConfiguration, type PrintedSettings } from './configured-address.ts';
import { adminSocketPath } from './round-trip.ts';
import type { SupervisedProcess } from './supervisor.ts';
import type { FleetService, Workspace } from './workspace.ts';

/** What a start leaves as it is in services that run already, and how to apply it; '' when there is nothing. */
export async function describeUnapplied(
  workspace: Workspace,
  services: readonly FleetService[],
  processes: readonly SupervisedProcess[],
): Promise<string> {
  const lines = await Promise.all(
    services.map(async (service) => {
      const pid = processes.find(({ name }) => name === service.name)?.pid;
      return pid === undefined ? [] : differencesOf(workspace, service, pid);
    }),
  );
  const told = lines.flat().map((line) => `${line}\n`);
  if (told.length === 0) return '';
  return `\nNot applied to what was running already:\n${told.join('')}To apply what is right: npx pnpm@12 reload\n`;
}

async function differencesOf(workspace: Workspace, service: FleetService, pid: number): Promise<readonly string[]> {
  const { name } = service;
  const [wanted, body] = await Promise.all([
    askConfiguration(service),
    askAdmin(processSocketPath(adminSocketPath(workspace, name), pid), '/config'),
  ]);
  // In the service's own words, each with its name in front.
  if (wanted.problems !== undefined) return wanted.problems.split('\n');
  const running = parseSettings(body);
  return running === undefined ? [] : differences(name, running, wanted.settings ?? {});
}

/** `undefined` when nobody answered, or somebody who is none of ours. */
function parseSettings(body: string | undefined): PrintedSettings | undefined {
  try {
    return body === undefined ? undefined : (JSON.parse(body) as PrintedSettings);
  } catch {
    return undefined;
  }
}

/** One line for each setting whose value would be another now. */
export function differences(service: string, running: PrintedSettings, wanted: PrintedSettings): readonly string[] {
  return Object.entries(wanted).flatMap(([setting, now]) => {
    const before = running[setting];
    if (before === undefined || before.text === now.text) return [];
    return `${service}: ${setting} is ${before.text || 'none'}, not ${now.text || 'none'} (${now.origin})`;
  });
}
