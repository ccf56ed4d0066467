/**
 * A neighbour without manners: exchanges pairs of names by renameat2(RENAME_EXCHANGE), as fast as it can, until its
 * stdin ends. Each exchange is atomic, so both names are there at every moment; which is the link changes.
 *
 *   node exchange.ts FROM TO [FROM TO ...]
 */
import { openNative } from '@small-servers/shared/native/linux';

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

const native = openNative(process, {
  renameat2: { arguments: ['i32', 'buffer', 'i32', 'buffer', 'u32'], return: 'i32' },
});
if (!native.available) throw new Error(native.gap);
const { renameat2 } = native.functions;

const names = process.argv.slice(2).map((name) => Buffer.from(`${name}\0`));
const pairs: (readonly [Buffer, Buffer])[] = [];
for (let index = 0; index < names.length; index += 2) pairs.push([names[index] as Buffer, names[index + 1] as Buffer]);

let exchanges = 0;
let going = true;

function turn(): void {
  for (let round = 0; round < 500; round++) {
    for (const [from, to] of pairs) {
      if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) !== 0) throw new Error('renameat2 failed');
      exchanges++;
    }
  }
  if (going) setImmediate(turn);
  else process.stdout.write(`${exchanges}\n`);
}

process.stdin.on('end', () => {
  going = false;
});
process.stdin.resume();
process.stdout.write('exchanging\n');
turn();
