/**
 * What one would write without this project: `readline` over each socket, the stamp parsed, the offset of each client
 * kept. With `log` a JSON line for each stamp on stdout. A line `COUNT` is answered with the stamps so far.
 * `readline.ts PORT [log]`
 */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [port, log] = process.argv.slice(2);
const STAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?(?: seq=(\d+))?(?: mono=(\d+))?$/;
let stamps = 0;

createServer((socket) => {
  const client = { peer: `${socket.remoteAddress}:${socket.remotePort}`, best: -Infinity, seq: -1, missed: 0 };
  socket.on('error', () => {});
  createInterface({ input: socket }).on('line', (line) => {
    const receivedAt = Date.now();
    const match = STAMP.exec(line);
    if (match === null) {
      socket.write(line === 'COUNT' ? `${stamps}\n` : 'ERR\n');
      return;
    }
    const [, day, time, zone = 'Z', seq, mono] = match;
    const offsetMs = Date.parse(`${day}T${time}${zone}`) - receivedAt;
    client.best = Math.max(client.best, offsetMs);
    if (seq !== undefined) {
      if (client.seq !== -1) client.missed += Number(seq) - client.seq - 1;
      client.seq = Number(seq);
    }
    stamps += 1;
    if (log === undefined) return;
    const time_ = new Date(receivedAt).toISOString();
    const record = {
      level: 'info',
      time: time_,
      event: 'stamp',
      peer: client.peer,
      clientTime: line,
      offsetMs,
      seq,
      mono,
    };
    process.stdout.write(`${JSON.stringify(record)}\n`);
  });
}).listen(Number(port), '127.0.0.1');
