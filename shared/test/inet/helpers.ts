import type { IpAddress, Parsed } from '../../src/inet/address.ts';
import { parseAddress } from '../../src/inet/address.ts';
import { type Cidr, parseCidr } from '../../src/inet/cidr.ts';

/** The value, or a failed test that shows the problem. */
export function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

/** The sentence on what is wrong, or a failed test that shows what was accepted. */
export function problem(parsed: Parsed<unknown>): string {
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(parsed.value, (_key, part) => String(part))}`);
  return parsed.problem;
}

export const ip = (text: string): IpAddress => value(parseAddress(text));
export const cidr = (text: string): Cidr => value(parseCidr(text));
