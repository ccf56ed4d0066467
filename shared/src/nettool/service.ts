/** `nettool service`: from a service's name to its port and back. */
import { readFile } from 'node:fs/promises';
import { formatTable } from '../cli/table.ts';
import {
  BUNDLED_SERVICES,
  findByName,
  findByPort,
  PORT_CLASSES,
  parseServiceQuery,
  parseServices,
  portClassOf,
  type ServiceEntry,
  type ServiceQuery,
} from '../inet/service-names.ts';
import { type Answer, take, type Verb } from './verb.ts';

const SERVICES_FILE = '/etc/services';

export const service: Verb<Record<string, never>, { text: string; query: ServiceQuery }> = {
  name: 'service',
  describe: 'the port of a service name, or the name of a port',
  operands: ['NAME|PORT[/proto]'],
  settings: {},
  examples: [
    ['nettool service echo', 'its ports'],
    ['nettool service 123/udp', 'who has this port'],
  ],
  parseOperands: ([text = ''], problems) => ({
    text,
    query: take(problems, 'NAME|PORT', parseServiceQuery(text), 'NAME, PORT, NAME/tcp or PORT/udp'),
  }),
  answer: async ({ text, query }) => {
    const { entries, source } = await serviceList();
    return answerFor(text, query, entries, source);
  },
};

/** The system's own list, or ours where there is none. */
export async function serviceList(): Promise<{ entries: readonly ServiceEntry[]; source: string }> {
  try {
    const entries = parseServices(await readFile(SERVICES_FILE, 'utf8'));
    if (entries.length > 0) return { entries, source: SERVICES_FILE };
  } catch {
    // No such file on this system, or it may not be read: the bundled list stands in, and the answer says so.
  }
  return { entries: BUNDLED_SERVICES, source: 'bundled list' };
}

/** The answer to a query over a list; `source` names the list. */
export function answerFor(
  text: string,
  { name, port, protocols }: ServiceQuery,
  entries: readonly ServiceEntry[],
  source: string,
): Answer {
  const found = protocols.flatMap((protocol) => {
    if (name !== undefined) return findByName(entries, name, protocol) ?? [];
    return findByPort(entries, port ?? 0, protocol) ?? [];
  });
  const ports = [...new Set(port === undefined ? found.map((entry) => entry.port) : [port])];
  const classes = ports.map((each) => {
    const portClass = portClassOf(each);
    const { first, last, who } = PORT_CLASSES.find((range) => range.class === portClass) ?? { who: '' };
    return { port: each, class: portClass, range: `${first}-${last}`, who };
  });
  const table = found.map((entry) => [entry.name, `${entry.port}/${entry.protocol}`, entry.aliases.join(' ')]);
  const nothing = `no service is named for ${text} in ${source}\n`;
  return {
    report: { query: text, found, ports: classes, source },
    text: [
      found.length === 0 ? nothing : formatTable(['NAME', 'PORT', 'ALIASES'], table),
      ...classes.map((each) => `${each.port} is a ${each.class} port (${each.range}): ${each.who}\n`),
      found.length === 0 ? '' : `source: ${source}\n`,
    ].join(''),
    failed: found.length === 0,
  };
}
