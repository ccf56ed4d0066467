/** This host's own addresses, from what `os.networkInterfaces()` returns. Pure: the caller asks the system. */
import { compareAddresses, type IpAddress, parseAddress } from './address.ts';
import { type Cidr, parseAddressInBlock } from './cidr.ts';
import { type AddressClass, specialPurposeOf } from './special-purpose.ts';

/** The part of an entry of `os.networkInterfaces()` that is read here. */
interface InterfaceInfo {
  readonly address: string;
  readonly cidr: string | null;
  readonly mac: string;
  readonly internal: boolean;
}

export interface InterfaceAddress {
  readonly interface: string;
  readonly address: IpAddress;
  /** The subnet it is configured in; `undefined` where the system reports a mask that is none. */
  readonly cidr: Cidr | undefined;
  readonly class: AddressClass;
  /** `undefined` for interfaces without one, such as loopback and tunnels. */
  readonly mac: string | undefined;
  /** True for loopback interfaces. */
  readonly internal: boolean;
}

const NO_MAC = '00:00:00:00:00:00';

/** Every interface address, in order of interface as the system lists them, IPv4 before IPv6. */
export function interfaceAddresses(
  interfaces: Readonly<Record<string, readonly InterfaceInfo[] | undefined>>,
): InterfaceAddress[] {
  return Object.entries(interfaces).flatMap(([name, infos = []]) =>
    infos
      .flatMap((info) => interfaceAddress(name, info))
      .sort((left, right) => compareAddresses(left.address, right.address)),
  );
}

function interfaceAddress(name: string, info: InterfaceInfo): InterfaceAddress[] {
  const address = parseAddress(info.address);
  if (!address.ok) return [];
  const block = info.cidr === null ? undefined : parseAddressInBlock(info.cidr);
  return [
    {
      interface: name,
      address: address.value,
      cidr: block?.ok ? block.value.cidr : undefined,
      class: specialPurposeOf(address.value).class,
      mac: info.mac === NO_MAC ? undefined : info.mac,
      internal: info.internal,
    },
  ];
}
