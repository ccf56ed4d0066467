#!/usr/bin/env node
import manifest from '../../package.json' with { type: 'json' };
import { runProgram } from '../cli/program.ts';
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

await runProgram({
  name: 'nettool',
  version: manifest.version,
  describe: 'the socket toolbox: names, addresses, ports, options and errors of this host and others',
  commands: [
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
  ],
});
