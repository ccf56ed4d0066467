/** More than the server can take: every datagram is accounted for, and the rest of the daemon goes on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished } from 'vitest';
import { Daemon, type LogRecord } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';

const SENDERS = 2;
const DATAGRAMS_EACH = 150_000;

/** Sends as fast as it can and reads nothing; prints nothing until it is done. */
const sender = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for number in range(int(sys.argv[2])):
    s.send(number.to_bytes(64, "big"))
`;

const sum = (records: readonly LogRecord[], event: string, field: string): number =>
  records.filter((record) => record.event === event).reduce((total, record) => total + Number(record[field]), 0);

async function isHealthy(socketPath: string): Promise<boolean> {
  const asked = request({ socketPath, path: '/healthz' }).end();
  const [response] = await once(asked, 'response');
  response.resume();
  return response.statusCode === 200;
}

const linux = { name: 'Linux', met: process.platform === 'linux' };

describe.each(['batch', 'dgram'])('a flood above capacity, --io %s', (io) => {
  const title = `received and thrown away are all that was sent, and the admin socket answers meanwhile [--io ${io}]`;
  testWith(
    [linux, program('python3')],
    title,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'small-servers-flood-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const admin = join(folder, 'admin.sock');
      // A small buffer: the flood runs over it at every pause of the server.
      const limits = ['--recv-buffer', '16KiB', '--summary-interval', '200ms'];
      await using daemon = new Daemon('udp-echo', [
        'serve',
        '--port',
        '0',
        '--io',
        io,
        '--admin-socket',
        admin,
        ...limits,
      ]);
      const { port } = await daemon.record('listening');
      while (!(await isHealthy(admin).catch(() => false))) await delay(10);

      const senders = Array.from({ length: SENDERS }, () =>
        spawn('python3', ['-c', sender, String(port), String(DATAGRAMS_EACH)], { stdio: 'inherit' }),
      );
      let running = true;
      const ended = Promise.all(senders.map((child) => once(child, 'exit'))).then((codes) => {
        running = false;
        return codes.map(([code]) => code);
      });
      let answers = 0;
      while (running) {
        expect(await isHealthy(admin)).toBe(true);
        if (running) answers += 1;
      }
      expect(await ended).toEqual(senders.map(() => 0));
      expect(answers).toBeGreaterThan(2);

      expect(await daemon.stop()).toMatchObject({ code: 0 });
      const received = sum(daemon.records, 'datagrams', 'received');
      const thrownAway = sum(daemon.records, 'receive-buffer-overflow', 'dropped');
      expect(received).toBeGreaterThan(0);
      expect(thrownAway).toBeGreaterThan(0);
      expect(received + thrownAway).toBe(SENDERS * DATAGRAMS_EACH);
      // The loopback is not limited, nothing is refused: what was received was answered.
      expect(sum(daemon.records, 'datagrams', 'echoed')).toBe(received);
    },
    60_000,
  );
});
