/** Names to addresses: all of them, IPv6 and IPv4 in turn, so that one dead family costs one attempt. */
import { lookup } from 'node:dns/promises';

/** Rejects with the system's error: `ENOTFOUND`, `EAI_AGAIN`. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveName: Resolve = async (host) => {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return interleave(found.map(({ address, family }) => ({ address, family })));
};

/** Alternates the families, beginning with that of the first address; the order within each is kept. */
export function interleave(found: readonly { readonly address: string; readonly family: number }[]): readonly string[] {
  const first = found[0]?.family;
  const same = found.filter(({ family }) => family === first).map(({ address }) => address);
  const other = found.filter(({ family }) => family !== first).map(({ address }) => address);
  const longer = Math.max(same.length, other.length);
  const alternating = Array.from({ length: longer }, (_, index) => [same[index], other[index]]).flat();
  return alternating.filter((address) => address !== undefined);
}
