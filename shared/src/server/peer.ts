/** Addresses as they stand in records: `ip:port`, `[ip6]:port`, v4-mapped addresses as v4. */

const MAPPED_PREFIX = '::ffff:';

/** An address without its v4-mapped form: a dual-stack listener sees IPv4 peers as `::ffff:a.b.c.d`. */
export function unmapAddress(address: string): string {
  const mapped = address.startsWith(MAPPED_PREFIX) && address.includes('.');
  return mapped ? address.slice(MAPPED_PREFIX.length) : address;
}

export function formatEndpoint(address: string, port: number): string {
  const plain = unmapAddress(address);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
