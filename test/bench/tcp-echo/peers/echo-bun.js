/**
 * Bun.listen as a TCP echo. Usage: bun echo-bun.js PORT
 * What the socket does not take is kept and sent on drain; nothing is read from that peer meanwhile.
 * SIGUSR2 collects garbage, for the memory part of the bench.
 */
const { Bun } = globalThis;

function send(socket, bytes) {
  const taken = Math.max(0, socket.write(bytes));
  if (taken === bytes.length) return;
  // The bytes handed to `data` are only ours during the call.
  socket.data.pending = Buffer.from(bytes.subarray(taken));
  socket.pause();
}

Bun.listen({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = { pending: null, ended: false };
    },
    data: send,
    drain(socket) {
      const { pending } = socket.data;
      if (pending === null) return;
      socket.data.pending = null;
      socket.resume();
      send(socket, pending);
      if (socket.data.pending === null && socket.data.ended) socket.end();
    },
    end(socket) {
      socket.data.ended = true;
      if (socket.data.pending === null) socket.end();
    },
    error() {},
  },
});

process.on('SIGUSR2', () => Bun.gc(true));
