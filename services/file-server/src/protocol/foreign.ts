/**
 * Peers that speak something else: a browser, a TLS client, a port scanner. Told so in one line, they find their
 * mistake; and what a web page makes a browser send to this port is never taken for commands.
 */

const foreignLines: readonly (readonly [RegExp, string])[] = [
  [/^[A-Za-z]+ \S* ?HTTP\/\d/, 'HTTP'],
  [/^SSH-\d/, 'SSH'],
  [/^PROXY (?:TCP|UNKNOWN)/, 'the PROXY protocol'],
];

/** The content type of a TLS handshake record (RFC 8446, section 5.1). No command begins with it. */
export const TLS_HANDSHAKE = 0x16;

/** What the peer speaks, if a line of it says that this is not the file protocol. */
export function foreignProtocol(line: string): string | undefined {
  return foreignLines.find(([pattern]) => pattern.test(line))?.[1];
}
