/** The settings of access lists, which every listener has. */
import { type Kind, listOf } from '../config/kinds.ts';
import { setting } from '../config/settings.ts';
import { type Cidr, formatCidr, parseCidr } from '../inet/cidr.ts';

/** A block of addresses; host bits must be zero. */
const cidr: Kind<Cidr> = {
  allowed: 'an address or a block of addresses such as 192.0.2.0/24 or 2001:db8::/32, its host bits zero',
  placeholder: 'CIDR',
  unitSuffix: '',
  list: false,
  parse: (text) => {
    const parsed = parseCidr(text);
    return parsed.ok ? parsed.value : undefined;
  },
  format: formatCidr,
  jsonSchema: { type: 'string', maxLength: 64 },
};

export const accessSettings = {
  allow: setting(listOf(cidr), {
    default: [],
    group: 'Limits',
    help: 'let these addresses in and, where nothing more specific says otherwise, no others',
    live: true,
  }),
  deny: setting(listOf(cidr), {
    default: [],
    group: 'Limits',
    help: 'keep these addresses out; the most specific of --allow and --deny wins',
    live: true,
  }),
} as const;
