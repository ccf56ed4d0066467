/** A shortage of descriptors, which any reader can try to cause: it is the readers' own, and nobody's upload. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startDaemon } from '../../../test/support/daemon.ts';
import { program, testWith } from '../../../test/support/programs.ts';
import { seededBytes } from '../../../test/support/splits.ts';
import { DESCRIPTORS_EACH } from '../src/settings.ts';
import { Peer } from './support/peer.ts';

const MiB = 1024 * 1024;

testWith(
  [program('prlimit')],
  '128 open files and 110 readers of a large file: those let in are served, and uploads go on',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'descriptors-'));
    const content = seededBytes(3 * MiB, 31);
    await writeFile(join(root, 'large'), '');
    // Sparse, and more than all buffers on the way hold.
    await truncate(join(root, 'large'), 256 * MiB);
    await using daemon = await startDaemon('file-server', ['--root', root, '--writable'], {
      under: ['prlimit', '--nofile=128'],
    });
    await using writer = await Peer.connect(daemon.port);
    writer.socket.write(`PUT begun ${content.length}\r\n`);
    await writer.take(1);
    writer.socket.write(content.subarray(0, MiB));

    const readers: Peer[] = [];
    let served = 0;
    let refused = 0;
    for (let index = 0; index < 110; index++) {
      const reader = await Peer.connect(daemon.port);
      readers.push(reader);
      const first = reader.firstBytes().then(() => true);
      const turnedAway = new Promise<boolean>((resolve) => {
        for (const event of ['end', 'close']) reader.socket.once(event, () => resolve(false));
      });
      reader.socket.write('GET large\r\n');
      if (await Promise.race([first, turnedAway])) served += 1;
      else refused += 1;
    }
    const places = Math.floor((128 - 32) / DESCRIPTORS_EACH);
    expect([served, refused]).toEqual([places - 1, 110 - (places - 1)]);
    expect(daemon.records.filter(({ event, outcome }) => event === 'transfer' && outcome === 'refused')).toEqual([]);

    // The rest of one, and a whole one that begins only now.
    writer.socket.write(content.subarray(MiB));
    expect((await writer.take(1))[0]?.line).toMatch(/^OK type=file /);
    writer.socket.write(`PUT new ${content.length}\r\n`);
    writer.socket.write(content);
    expect((await writer.take(2))[1]?.line).toMatch(/^OK type=file /);
    expect((await readFile(join(root, 'new'))).equals(content)).toBe(true);
    expect(daemon.records.filter(({ event }) => event === 'connection-refused')).toMatchObject([
      { reason: 'fd-limit', refused: 1 },
    ]);
    for (const reader of readers) reader.socket.destroy();
    await rm(root, { recursive: true });
  },
);
