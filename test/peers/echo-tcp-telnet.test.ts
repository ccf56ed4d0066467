import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';

testWith(
  [program('telnet')],
  'telnet: the greeting is shown, a typed line comes back, no negotiation takes place',
  async () => {
    await using daemon = await startDaemon('echo-tcp', ['--greeting', 'Hello, Client.', '--log-payload']);
    const telnet = spawn('telnet', ['127.0.0.1', String(daemon.port)], { stdio: 'pipe' });
    const shown: Buffer[] = [];
    const sees = async (text: string): Promise<void> => {
      while (!Buffer.concat(shown).includes(text)) await once(telnet.stdout, 'data');
    };
    telnet.stdout.on('data', (bytes: Buffer) => shown.push(bytes));
    await sees('Hello, Client.');
    telnet.stdin.write('Hello, Server.\n');
    await sees('Hello, Server.');
    telnet.kill();
    await once(telnet, 'close');
    // The line alone arrived: with an option telnet would have sent 0xff bytes, and got them back.
    expect(await daemon.record('payload')).toMatchObject({ preview: 'Hello, Server.\\r\\n' });
    const { bytesIn, bytesOut } = await daemon.record('connection-closed');
    expect([bytesIn, bytesOut]).toEqual([16, 32]);
  },
);
