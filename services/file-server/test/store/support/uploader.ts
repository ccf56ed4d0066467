/**
 * A process that uploads, to be killed: `node uploader.ts ROOT`. Sends 6 MiB of an announced 8, says the id and how much
 * of it is durable each time that changes, and then waits for its end.
 */
import { decodePath } from '../../../src/protocol/path.ts';
import { openDiskStore } from '../../../src/store/disk-store.ts';
import { bytesOf } from './bytes.ts';

const [root = ''] = process.argv.slice(2);
let nowMs = 0;
const store = await openDiskStore({
  root,
  writable: true,
  maxFileBytes: 0,
  maxTotalBytes: 0,
  keepPartialMs: 60_000,
  maxKeptPartials: 10,
  holderIdleMs: 1000,
  maxDigests: 10,
  now: () => nowMs,
});
const MiB = 1024 * 1024;
const content = bytesOf(8 * MiB, 9);
const upload = await store.createUpload({
  path: decodePath('a'),
  sizeBytes: content.length,
  precondition: { kind: 'none' },
});
let durableBytes = -1;
for (let from = 0; from < 6 * MiB; from += MiB) {
  // Every other piece is followed by a checkpoint.
  nowMs += 1000;
  await upload.write(content.subarray(from, from + MiB));
}
setInterval(() => {
  if (upload.durableBytes === durableBytes) return;
  durableBytes = upload.durableBytes;
  process.stdout.write(`${upload.id} ${durableBytes}\n`);
}, 5);
