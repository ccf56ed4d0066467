/** `nettool resolve`: the addresses of a name, or the names of an address, by the system and by DNS side by side. */
import { lookup, lookupService, Resolver } from 'node:dns/promises';
import { formatTable } from '../cli/table.ts';
import { duration, toggle } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { systemCode } from '../errors.ts';
import { formatAddress, type IpAddress, type IpFamily, parseAddress } from '../inet/address.ts';
import { parseHostName } from '../inet/host-name.ts';
import { specialPurposeOf } from '../inet/special-purpose.ts';
import { explanations } from './error-table.ts';
import { shortTime } from './format.ts';
import { addressOf, optionalText } from './kinds.ts';
import { TooLong, within } from './time-limit.ts';
import { type Answer, refuse, take, type Verb } from './verb.ts';

const only = (help: string) => setting(toggle(), { default: false, group: 'Request', help });

const settings = {
  '4': only('IPv4 addresses only'),
  '6': only('IPv6 addresses only'),
  dns: only('ask DNS only, not the system resolver'),
  timeoutMs: setting(duration({ max: 60_000 }), {
    default: 2_000,
    group: 'Request',
    help: 'how long to wait for either answer',
  }),
  server: setting(
    optionalText(addressOf('ADDRESS or ADDRESS:PORT of a name server, such as 192.0.2.53 or [2001:db8::53]:53')),
    {
      default: undefined,
      group: 'Request',
      help: 'name server to ask instead of those of this system',
    },
  ),
} as const;

type Source = 'system' | 'dns';

/** What one source said. */
interface Finding {
  readonly source: Source;
  readonly durationMs: number;
  /** Addresses or names, in the order they were given. */
  readonly values: readonly string[];
  readonly error: { readonly code: string; readonly words: string } | null;
}

const NAME_FORM = 'a host name such as example.org, or an IP address';

interface Asked {
  readonly text: string;
  readonly address: IpAddress | undefined;
  readonly name: string;
}

export const resolve: Verb<typeof settings, Asked> = {
  name: 'resolve',
  describe: 'all addresses of a name, or the names of an address, by system and by DNS',
  operands: ['NAME|ADDRESS'],
  settings,
  examples: [
    ['nettool resolve localhost', 'the system resolver and DNS side by side'],
    ['nettool resolve 192.0.2.1', 'the other way'],
    ['nettool resolve example.org -6 --dns --server 192.0.2.53', 'IPv6 addresses as this server has them'],
  ],
  parseOperands: ([text = ''], problems) => {
    const address = parseAddress(text);
    if (address.ok) return { text, address: address.value, name: text };
    return { text, address: undefined, name: take(problems, 'NAME|ADDRESS', parseHostName(text), NAME_FORM) };
  },
  answer: async ({ text, address, name }, config, signal) => {
    if (config['4'] && config['6'])
      return refuse('-4 -6', 'are both given', 'choose one, or neither for all addresses');
    const families = familiesOf(config);
    const resolver = resolverFor(config);
    const ask: Record<Source, () => Promise<readonly string[]>> =
      address === undefined
        ? { system: () => systemAddresses(name, families), dns: () => dnsAddresses(resolver, name, families) }
        : { system: () => systemNames(address), dns: () => resolver.reverse(formatAddress(address)) };
    const sources: readonly Source[] = config.dns ? ['dns'] : ['system', 'dns'];
    const findings = await Promise.all(
      sources.map((source) => timed(source, () => within(ask[source](), config.timeoutMs, signal))),
    );
    return answerFor(text, findings, resolver.getServers());
  },
};

function familiesOf(config: ConfigOf<typeof settings>): readonly IpFamily[] {
  if (config['4']) return [4];
  return config['6'] ? [6] : [4, 6];
}

function resolverFor({ timeoutMs, server }: ConfigOf<typeof settings>): Resolver {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1, maxTimeout: timeoutMs });
  if (server !== undefined) resolver.setServers([server]);
  return resolver;
}

async function timed(source: Source, ask: () => Promise<readonly string[]>): Promise<Finding> {
  const startMs = performance.now();
  const finding = (values: readonly string[], error: Finding['error']): Finding => ({
    source,
    durationMs: Math.round((performance.now() - startMs) * 1_000) / 1_000,
    values: [...new Set(values)],
    error,
  });
  try {
    return finding(await ask(), null);
  } catch (error) {
    // Our own limit is told by the name that resolvers have for it.
    const code = error instanceof TooLong ? 'ETIMEOUT' : (systemCode(error) ?? 'UNKNOWN');
    return finding([], { code, words: explanations.get(code)?.words ?? String(error) });
  }
}

async function systemAddresses(name: string, families: readonly IpFamily[]): Promise<readonly string[]> {
  // The order of getaddrinfo (RFC 6724) is part of its answer: a program that takes the first one depends on it.
  const found = await lookup(name, {
    all: true,
    order: 'verbatim',
    family: families.length > 1 ? 0 : (families[0] ?? 0),
  });
  return found.map(({ address }) => address);
}

/** getnameinfo; without a name it gives the address back, which is no answer. */
async function systemNames(address: IpAddress): Promise<readonly string[]> {
  const text = formatAddress(address);
  const { hostname } = await lookupService(text, 0);
  if (hostname === text) throw Object.assign(new Error(`${text} has no name`), { code: 'ENOTFOUND' });
  return [hostname];
}

async function dnsAddresses(
  resolver: Resolver,
  name: string,
  families: readonly IpFamily[],
): Promise<readonly string[]> {
  const asked = await Promise.allSettled(
    families.map((family) => (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name))),
  );
  const values = asked.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  const failed = asked.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  // A name without IPv6 is the rule; it is an error only when there is nothing at all.
  if (values.length === 0) throw failed.find((reason) => systemCode(reason) !== 'ENODATA') ?? failed[0];
  return values.map(canonical);
}

function canonical(text: string): string {
  const parsed = parseAddress(text);
  return parsed.ok ? formatAddress(parsed.value) : text;
}

/** The answer from the findings of each source. */
export function answerFor(query: string, findings: readonly Finding[], servers: readonly string[]): Answer {
  const values = [...new Set(findings.flatMap((finding) => finding.values))];
  const saidBy = (value: string) => findings.filter((finding) => finding.values.includes(value));
  const answered = findings.filter(({ error }) => error === null);
  const differences = values
    .filter((value) => saidBy(value).length < answered.length)
    .map((value) => ({ value, only: saidBy(value)[0]?.source }));
  const rows = values.map((value) => {
    const parsed = parseAddress(value);
    const sources = saidBy(value)
      .map(({ source }) => source)
      .join(' and ');
    return [value, parsed.ok ? specialPurposeOf(parsed.value).class : '', sources];
  });
  const status = findings.map(({ source, durationMs, error }) => {
    const whom = source === 'dns' ? `DNS (${servers.join(', ') || 'no server'})` : 'system resolver';
    return `${whom}: ${error === null ? 'answered' : `${error.words} (${error.code})`}, ${shortTime(durationMs)}\n`;
  });
  return {
    report: {
      query,
      addresses: values,
      ...Object.fromEntries(findings.map(({ source, ...finding }) => [source, finding])),
      servers,
      differences,
    },
    text: [
      rows.length === 0 ? '' : `${formatTable(['ADDRESS', 'CLASS', 'ACCORDING TO'], rows)}\n`,
      ...status,
      ...differences.map(
        ({ value, only }) => `difference: only ${only === 'dns' ? 'DNS' : 'the system'} says ${value}\n`,
      ),
    ].join(''),
    failed: values.length === 0,
  };
}
