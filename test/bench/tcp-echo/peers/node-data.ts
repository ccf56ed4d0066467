/** Plain Node: 'data' -> write with pause and drain. Usage: node node-data.ts PORT */
import { createServer } from 'node:net';

createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('data', (bytes) => {
    if (!socket.write(bytes)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
