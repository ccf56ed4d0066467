import { describe, expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';

const python = program('python3');

/** The client of the textbooks: connect, send, read until the message is back. */
const courseClient = `
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
greeting = peer.makefile("rb").readline()
peer.sendall(b"Hello, Server.")
answer = b""
while len(answer) < 14:
    answer += peer.recv(1024)
peer.close()
print(greeting.decode().rstrip(), answer.decode())
`;

/** Every value as a byte of its own with Nagle off, then a half-close. */
const awkwardClient = `
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for value in range(256):
    peer.send(bytes([value]))
peer.shutdown(socket.SHUT_WR)
answer = b""
while part := peer.recv(7):
    answer += part
print(answer == bytes(range(256)))
`;

describe('python', () => {
  testWith([python], 'the exchange of greetings of the course', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--greeting', 'Hello, Client.']);
    const { code, stdout } = await runWith(courseClient, 'python3', '-', String(daemon.port));
    expect([code, String(stdout)]).toEqual([0, 'Hello, Client. Hello, Server.\n']);
  });

  testWith([python], 'single bytes, a half-close and small reads: every value comes back', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const { stdout } = await runWith(awkwardClient, 'python3', '-', String(daemon.port));
    expect(String(stdout)).toBe('True\n');
    expect(await daemon.record('connection-closed')).toMatchObject({ bytesIn: 256, bytesOut: 256 });
  });
});
