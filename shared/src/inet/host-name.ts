/** Host names as they are typed: checked and brought into the form that DNS carries. Nothing is looked up. */
import { domainToASCII } from 'node:url';
import { quote } from '../config/problems.ts';
import type { Parsed } from './address.ts';

/** RFC 1035 section 2.3.4, without the final dot. */
const MAX_NAME_LENGTH = 253;
const MAX_TYPED_LENGTH = 1_024;

/**
 * Reads a host name: labels of 1 to 63 letters, digits, hyphens and underscores (DNS has them, though host names proper
 * do not), joined by dots, at most 253 characters; a final dot is kept. International names come back in their `xn--`
 * form (RFC 5891). What looks like a damaged address is refused, because `getaddrinfo` would take `127.1` for one.
 */
export function parseHostName(text: string): Parsed<string> {
  const bad = (why: string) => ({ ok: false, problem: `${quote(text)} is not a host name: ${why}` }) as const;
  if (text.length > MAX_TYPED_LENGTH) return bad(`a name has at most ${MAX_NAME_LENGTH} characters`);
  if (/^(?:0[xX][0-9a-fA-F]+|[0-9.]*[0-9][0-9.]*)$/.test(text))
    return bad('it looks like an IPv4 address, but is none in the strict form');
  if (text.includes(':')) return bad('it looks like an IPv6 address, but is none');
  // The URL standard's conversion drops tabs and line ends and stops at a slash: such texts must not get there.
  const ascii = /^[\w.-]*$/.test(text.replaceAll(/[^\0-\x7f]/g, '')) ? asciiForm(text) : '';
  const name = ascii.replace(/\.$/, '');
  if (!name.split('.').every((label) => /^[\w-]{1,63}$/.test(label))) {
    return bad('labels of 1 to 63 letters, digits and hyphens, joined by dots, are expected');
  }
  return name.length > MAX_NAME_LENGTH
    ? bad(`a name has at most ${MAX_NAME_LENGTH} characters`)
    : { ok: true, value: ascii };
}

/** ASCII names as they are written, since case tells a person something; others in their `xn--` form, '' when none. */
function asciiForm(text: string): string {
  return /^[\w.-]*$/.test(text) ? text : domainToASCII(text);
}
