/**
 * Who may come in, by address: `--allow` and `--deny` with blocks of addresses.
 *
 * The most specific block that holds an address decides. Where none does, an address is let in, unless something is
 * allowed by name: who writes `--allow 10.0.0.0/8` means "and nobody else". Of `--allow` and `--deny` for the very
 * same block `--deny` wins. v4-mapped addresses count as the IPv4 addresses they stand for.
 */
import type { IpAddress } from '../inet/address.ts';
import { type Cidr, createPrefixTable } from '../inet/cidr.ts';

export interface AccessRules {
  readonly allow: readonly Cidr[];
  readonly deny: readonly Cidr[];
}

export interface AccessList {
  /** Every address is let in: there is nothing to look up. */
  readonly open: boolean;
  allows(address: IpAddress): boolean;
}

export function createAccessList({ allow, deny }: AccessRules): AccessList {
  const table = createPrefixTable([
    ...allow.map((cidr) => [cidr, true] as const),
    ...deny.map((cidr) => [cidr, false] as const),
  ]);
  const otherwise = allow.length === 0;
  return {
    open: otherwise && deny.length === 0,
    allows: (address) => table.lookup(address) ?? otherwise,
  };
}
