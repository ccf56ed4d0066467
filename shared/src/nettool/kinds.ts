/** Kinds of values that only nettool's flags have. */
import type { Kind } from '../config/kinds.ts';
import { parseAddress } from '../inet/address.ts';

/** A kind whose setting may be left out: its default is `undefined`. */
export function optionalText(kind: Kind<string>): Kind<string | undefined> {
  return { ...kind, format: (value) => value ?? '' };
}

/** Any text at all, the empty one included. */
export function anyText(placeholder: string): Kind<string> {
  return {
    allowed: 'any text',
    placeholder,
    unitSuffix: '',
    list: false,
    parse: (raw) => raw,
    format: String,
    jsonSchema: { type: 'string' },
  };
}

/** `ADDRESS`, `ADDRESS:PORT` for IPv4, `[ADDRESS]:PORT` for IPv6. */
export function addressOf(allowed: string): Kind<string> {
  return {
    allowed,
    placeholder: 'ADDRESS[:PORT]',
    unitSuffix: '',
    list: false,
    parse: (raw) => (isEndpoint(raw) ? raw : undefined),
    format: String,
    jsonSchema: { type: 'string' },
  };
}

function isEndpoint(text: string): boolean {
  if (parseAddress(text).ok) return true;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([1-9][0-9]{0,4})$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? '');
  return address.ok && address.value.family === (match?.[1] === undefined ? 4 : 6) && Number(match?.[3]) <= 65_535;
}
