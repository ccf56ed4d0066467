/** The verbs of nettool, in the order of its help. */
import type { Command } from '../cli/program.ts';
import { address } from './address.ts';
import { byteOrder, conversions } from './byte-order.ts';
import { connect } from './connect.ts';
import { explain } from './explain.ts';
import { host } from './host.ts';
import { ports } from './ports.ts';
import { resolve } from './resolve.ts';
import { service } from './service.ts';
import { sockopt } from './sockopt.ts';
import { subnet } from './subnet.ts';
import { verbCommand } from './verb.ts';

export const verbs: readonly Command[] = [
  verbCommand(host),
  verbCommand(resolve),
  verbCommand(address),
  verbCommand(subnet),
  verbCommand(service),
  verbCommand(byteOrder),
  ...conversions.map(verbCommand),
  verbCommand(sockopt),
  verbCommand(connect),
  verbCommand(explain),
  verbCommand(ports),
];
