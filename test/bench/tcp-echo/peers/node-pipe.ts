/** What one writes first: every socket piped into itself. Usage: node node-pipe.ts PORT */
import { createServer } from 'node:net';

createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
