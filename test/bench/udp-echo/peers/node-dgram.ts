/** Plain Node: every message is sent back, and nothing else. Usage: node node-dgram.ts PORT */
import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address));
socket.bind(Number(process.argv[2]), '127.0.0.1');
