/** Whether a server would be open to more than its operator can want. */
import { parseAddress } from '@small-servers/shared/inet/address';
import { specialPurposeOf } from '@small-servers/shared/inet/special-purpose';

/** Whether only this machine reaches an address to listen on. A name other than localhost may be any address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const address = parseAddress(host);
  return address.ok && specialPurposeOf(address.value).class === 'loopback';
}

/** Why this combination is not served, if so. */
export function exposure(host: string, { writable, tokenFile }: { writable: boolean; tokenFile: string }) {
  if (!writable || tokenFile !== '' || isLoopback(host)) return undefined;
  return `anybody who reaches ${host} could fill and empty the folder`;
}

export const EXPOSURE_REMEDY = 'expected --token-file as well, or --host 127.0.0.1, or no --writable';
