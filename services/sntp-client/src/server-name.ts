/**
 * How servers are named: `HOST`, `HOST:PORT`, `[::1]:PORT`, `ntp://HOST:PORT`, `nts://HOST:PORT`. The
 * port of an nts name is that of the key exchange.
 */
import type { Kind } from '@small-servers/shared/config/kinds';
import { parseCount } from '@small-servers/shared/config/units';
import { parseAddress } from '@small-servers/shared/inet/address';

export interface ServerName {
  readonly scheme: 'ntp' | 'nts';
  /** A host name or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

export const defaultPorts = { ntp: 123, nts: 4460 } as const;

export const SERVER_FORMS = 'HOST, HOST:PORT, [IPV6]:PORT, ntp://HOST[:PORT] or nts://HOST[:PORT]';

/** `bare`: the scheme of a name that has none. */
export function parseServerName(text: string, bare: ServerName['scheme'] = 'ntp'): ServerName | undefined {
  const scheme = /^(ntp|nts):\/\//.exec(text)?.[1] as ServerName['scheme'] | undefined;
  const rest = scheme === undefined ? text : text.slice(scheme.length + '://'.length).replace(/\/$/, '');
  const effective = scheme ?? bare;
  if (parseAddress(rest).ok) return { scheme: effective, host: rest, port: defaultPorts[effective] };
  const match = /^(?:\[([^[\]]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/.exec(rest);
  const [, bracketed, plain, portText] = match ?? [];
  const host = bracketed ?? plain;
  const port = portText === undefined ? defaultPorts[effective] : parseCount(portText);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined ? !parseAddress(host).ok : !isHostName(host)) return undefined;
  return { scheme: effective, host, port };
}

/** Letters, digits, hyphens and underscores between dots; what is all digits and dots is a mistyped address. */
function isHostName(text: string): boolean {
  if (text.length > 253 || /^[\d.]+$/.test(text)) return parseAddress(text).ok;
  return /^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}

/** The one text of a name: with its scheme, and with its port when that is not the usual one. */
export function formatServerName({ scheme, host, port }: ServerName): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${bracketed}${port === defaultPorts[scheme] ? '' : `:${port}`}`;
}

/** The kind of setting that names a server. */
export function serverKind(): Kind<ServerName> {
  return {
    allowed: SERVER_FORMS,
    placeholder: 'SERVER',
    unitSuffix: '',
    list: false,
    parse: (text) => parseServerName(text),
    format: formatServerName,
    jsonSchema: { type: 'string' },
  };
}
