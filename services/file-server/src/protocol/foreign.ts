/**
 * Peers that speak something else: a browser, a TLS client, a port scanner. Told so in one line, they find their
 * mistake; and what a web page makes a browser send to this port is never taken for commands.
 */

/** `METHOD target HTTP/1.1`. No target of a browser has a space; one that has is not ours either. */
const requestLine = /^\S+ .* HTTP\/\d(?:\.\d)? *$/;
/** The one command of ours of that form: a MOVE to `HTTP/1.1`. What HTTP asks for begins with "/", or holds "*" or ":". */
const moveToSuchName = /^MOVE [\w.~%-][\w.~%/-]* HTTP\//i;

const foreignLines: readonly (readonly [(line: string) => boolean, string])[] = [
  [(line) => requestLine.test(line) && !moveToSuchName.test(line), 'HTTP'],
  [(line) => /^SSH-\d/.test(line), 'SSH'],
  [(line) => /^PROXY (?:TCP|UNKNOWN)/.test(line), 'the PROXY protocol'],
];

/** The content type of a TLS handshake record (RFC 8446, section 5.1). No command begins with it. */
export const TLS_HANDSHAKE = 0x16;

/** What the peer speaks, if a line of it says that this is not the file protocol. */
export function foreignProtocol(line: string): string | undefined {
  return foreignLines.find(([speaks]) => speaks(line))?.[1];
}
