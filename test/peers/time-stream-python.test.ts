import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';

const python = program('python3');
const courseClient = fileURLToPath(new URL('time-stream-course-client.py', import.meta.url));

/** Stamps in awkward pieces: every byte on its own, then three in one segment, then one cut in the middle. */
const awkwardClient = `
import socket, sys, time
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def stamp(second):
    return b"2026-11-20 10:00:%02d" % second
for byte in stamp(0):
    peer.send(bytes([byte]))
peer.sendall(stamp(1) + stamp(2) + stamp(3))
peer.sendall(stamp(4)[:7])
time.sleep(0.05)
peer.sendall(stamp(4)[7:] + stamp(5) + b"\\r\\n" + stamp(6) + b"\\n")
peer.close()
`;

/** Reads what the server sends as the course's clients do: recv, decode, print. */
const watchingClient = `
import datetime, socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(b"WATCH\\n")
lines = peer.makefile("r", newline="\\r\\n")
for _ in range(2):
    text = lines.readline().split()[0]
    off = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(text)
    print(abs(off.total_seconds()) < 0.5)
`;

describe('python', () => {
  testWith([python], 'the client of the course, unchanged: one record a stamp, each as old as it is', async () => {
    // Python and the server have the zone of the machine in common.
    await using daemon = await startDaemon('time-stream-tcp', []);
    const client = spawn('python3', [courseClient, String(daemon.port)], { stdio: 'inherit' });
    await daemon.record('stamp', 3);
    client.kill();
    await once(client, 'close');
    const stamps = daemon.records.filter(({ event }) => event === 'stamp');
    for (const { clientTime, offsetMs, assumedZone } of stamps) {
      expect(clientTime).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
      // The time under way, and what the stamp leaves out of its second.
      expect(Number(offsetMs)).toBeLessThan(50);
      expect(Number(offsetMs)).toBeGreaterThan(-10_000);
      expect(assumedZone).toBe(Temporal.Now.timeZoneId());
    }
    expect(await daemon.record('clock-summary')).toMatchObject({ stamps: stamps.length, steps: 0, wrong: false });
    expect(daemon.records.filter(({ event }) => event === 'bad-line')).toEqual([]);
  });

  testWith([python], 'stamps in single bytes, three in a segment, and one cut in the middle', async () => {
    await using daemon = await startDaemon('time-stream-tcp', []);
    const { code } = await runWith(awkwardClient, 'python3', '-', String(daemon.port));
    expect(code).toBe(0);
    await daemon.record('clock-summary');
    const times = daemon.records.flatMap(({ event, clientTime }) => (event === 'stamp' ? [String(clientTime)] : []));
    expect(times).toEqual(Array.from({ length: 7 }, (_, second) => `2026-11-20 10:00:0${second}`));
  });

  testWith([python], 'reads the server’s stream as ISO 8601', async () => {
    await using daemon = await startDaemon('time-stream-tcp', []);
    const { stdout } = await runWith(watchingClient, 'python3', '-', String(daemon.port));
    expect(String(stdout)).toBe('True\nTrue\n');
  });
});
