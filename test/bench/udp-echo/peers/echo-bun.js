// Bun's own UDP sockets: every datagram is sent back. Usage: bun echo-bun.js PORT
await Bun.udpSocket({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  socket: {
    data(socket, bytes, port, address) {
      socket.send(bytes, port, address);
    },
    // A client that is gone refuses its answer; without this that ends Bun.
    error() {},
  },
});
