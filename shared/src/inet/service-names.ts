/**
 * Names of services and their ports: the format of /etc/services read from text, with a short list of our own for
 * systems that have no such file.
 */
import { quote } from '../config/problems.ts';
import type { Parsed } from './address.ts';

export type ServiceProtocol = 'tcp' | 'udp';

/** One name on one port of one protocol, with the other names it goes by. */
export interface ServiceEntry {
  readonly name: string;
  readonly port: number;
  readonly protocol: ServiceProtocol;
  readonly aliases: readonly string[];
}

const MAX_PORT = 65_535;
const PROTOCOLS: readonly ServiceProtocol[] = ['tcp', 'udp'];

/**
 * Reads the text of /etc/services: `name port/protocol [alias...]`, with `#` before a comment. Entries of other
 * protocols (sctp, dccp) and lines of another shape are passed over, as `getservbyname` does.
 */
export function parseServices(text: string): ServiceEntry[] {
  const entries: ServiceEntry[] = [];
  for (const line of text.split('\n')) {
    const [name, portAndProtocol = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const match = /^(\d{1,5})\/(tcp|udp)$/.exec(portAndProtocol);
    const port = Number(match?.[1]);
    if (!name || match === null || port > MAX_PORT) continue;
    entries.push({ name, port, protocol: match[2] as ServiceProtocol, aliases });
  }
  return entries;
}

/** The first entry of this name or alias, exact in case, as `getservbyname` finds it. */
export function findByName(
  entries: readonly ServiceEntry[],
  name: string,
  protocol: ServiceProtocol,
): ServiceEntry | undefined {
  return entries.find((entry) => entry.protocol === protocol && (entry.name === name || entry.aliases.includes(name)));
}

/** The first entry of this port, as `getservbyport` finds it. */
export function findByPort(
  entries: readonly ServiceEntry[],
  port: number,
  protocol: ServiceProtocol,
): ServiceEntry | undefined {
  return entries.find((entry) => entry.protocol === protocol && entry.port === port);
}

export type PortClass = 'well-known' | 'registered' | 'dynamic';

/** The ranges of RFC 6335 section 6; `who` says who may take a port there. */
export const PORT_CLASSES: readonly { class: PortClass; first: number; last: number; who: string }[] = [
  { class: 'well-known', first: 0, last: 1023, who: 'assigned by IANA; only root may listen on Linux' },
  { class: 'registered', first: 1024, last: 49_151, who: 'assigned by IANA on request; any user may listen' },
  { class: 'dynamic', first: 49_152, last: MAX_PORT, who: 'never assigned; for private use and outgoing connections' },
];

/** The class of a port from 0 to 65535. Throws `RangeError` outside. */
export function portClassOf(port: number): PortClass {
  const found = PORT_CLASSES.find(({ first, last }) => Number.isInteger(port) && port >= first && port <= last);
  if (found === undefined) throw new RangeError(`port ${port} is not 0 to ${MAX_PORT}`);
  return found.class;
}

/** What was asked for: a name or a port, for one protocol or both. */
export interface ServiceQuery {
  readonly name?: string;
  readonly port?: number;
  readonly protocols: readonly ServiceProtocol[];
}

/** Reads `NAME`, `PORT`, `NAME/tcp` or `PORT/udp`. */
export function parseServiceQuery(text: string): Parsed<ServiceQuery> {
  const bad = (why: string) => ({ ok: false, problem: `${quote(text)} is not a service: ${why}` }) as const;
  const slash = text.indexOf('/');
  const what = slash === -1 ? text : text.slice(0, slash);
  const protocol = slash === -1 ? undefined : text.slice(slash + 1);
  const protocols = PROTOCOLS.filter((known) => protocol === undefined || protocol === known);
  if (protocols.length === 0) return bad('after "/" tcp or udp is expected');
  if (/^\d+$/.test(what)) {
    const port = Number(what);
    return port <= MAX_PORT ? { ok: true, value: { port, protocols } } : bad(`a port is 0 to ${MAX_PORT}`);
  }
  // The rule of RFC 6335 section 5.1 is narrower; the files of real systems also hold "_", "+", "." and longer names.
  if (!/^[A-Za-z0-9][A-Za-z0-9_+.*-]{0,62}$/.test(what))
    return bad('a name such as "echo" or a port number is expected');
  return { ok: true, value: { name: what, protocols } };
}

/** The services a person meets most, in the format of /etc/services, for systems without that file. */
export const BUNDLED_SERVICES: readonly ServiceEntry[] = parseServices(`
echo 7/tcp
echo 7/udp
discard 9/tcp sink null
discard 9/udp sink null
daytime 13/tcp
daytime 13/udp
chargen 19/tcp ttytst source
chargen 19/udp ttytst source
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp timserver
time 37/udp timserver
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
http 80/tcp www
kerberos 88/tcp kerberos5 krb5 kerberos-sec
kerberos 88/udp kerberos5 krb5 kerberos-sec
pop3 110/tcp pop-3
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
ntp 123/udp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
bgp 179/tcp
ldap 389/tcp
https 443/tcp
https 443/udp
microsoft-ds 445/tcp
submissions 465/tcp ssmtp smtps
syslog 514/udp
submission 587/tcp
ldaps 636/tcp
domain-s 853/tcp
domain-s 853/udp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
mqtt 1883/tcp
nfs 2049/tcp
nfs 2049/udp
mysql 3306/tcp
ms-wbt-server 3389/tcp
stun 3478/udp
ntske 4460/tcp
sip 5060/tcp
sip 5060/udp
xmpp-client 5222/tcp jabber-client
mdns 5353/udp
postgresql 5432/tcp postgres
amqp 5672/tcp
redis 6379/tcp
http-alt 8080/tcp webcache
http-alt 8080/udp
`);
