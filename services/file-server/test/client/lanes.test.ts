/** Work over several connections: what is tried again, how often, and what is not. */
import type { Socket } from 'node:net';
import { AppError } from '@small-servers/shared/errors';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/client/connection.ts';
import { Unreachable } from '../../src/client/failures.ts';
import { type Job, Lanes } from '../../src/client/lanes.ts';
import { type Script, type ScriptedServer, startScripted } from './scripted-server.ts';

/** How a job says that it is over. */
type Way = 'promise' | 'call';

interface Outcome {
  readonly done: string[];
  readonly abandoned: Map<string, Error>;
}

/** Runs one PING of each name over lanes. */
async function runPings(
  server: ScriptedServer,
  names: readonly string[],
  { lanes = 1, retries = 2, signal = new AbortController().signal, way = 'promise' as Way } = {},
): Promise<Outcome & { fatal: Error | undefined }> {
  const done: string[] = [];
  const abandoned = new Map<string, Error>();
  const endpoint = { host: '127.0.0.1', port: server.port };
  const all = new Lanes({
    lanes,
    retries,
    signal,
    connect: () => Connection.open({ endpoint, timeoutMs: 5_000 }),
    random: () => 0,
  });
  const running = all.run();
  for (const name of names) {
    const ping = async (connection: Connection): Promise<void> => {
      await connection.ask(`PING ${name}`);
      done.push(name);
    };
    const job: Job = {
      weightBytes: 1,
      movedBytes: 0,
      run: way === 'call' ? () => Promise.reject(new Error('it has another way')) : ping,
      start: (connection, over) => {
        if (way === 'call') ping(connection).then(() => over(), over);
        return way === 'call';
      },
      abandon: (error) => abandoned.set(name, error),
    };
    await all.add(job).catch(() => {});
  }
  all.close();
  await running;
  return { done: done.toSorted(), abandoned, fatal: all.fatal };
}

const names = Array.from({ length: 300 }, (_, index) => `n${String(index).padStart(3, '0')}`);

describe.each<Way>(['promise', 'call'])('lanes, whose jobs end with a %s', (way) => {
  test.each([1, 4])('everything is done once over %i connections', async (lanes) => {
    await using server = await startScripted(() => 'OK\r\n');
    const { done, abandoned } = await runPings(server, names, { lanes, way });
    expect([done, abandoned.size, server.lines.length]).toEqual([names, 0, names.length]);
    expect(server.connections).toBeLessThanOrEqual(lanes);
  });

  test('requests are sent ahead of replies', async () => {
    let held: (() => void)[] = [];
    // Nothing is answered before ten are here: one at a time would wait for ever.
    await using server = await startScripted((_line, socket) => {
      held.push(() => socket.write('OK\r\n'));
      if (held.length < 10) return undefined;
      for (const answer of held) answer();
      held = [];
      return undefined;
    });
    expect((await runPings(server, names.slice(0, 30), { way })).done).toHaveLength(30);
  }, 10_000);

  test('the one whose turn it is when connections end pays for it, those behind it do not', async () => {
    const poisoned: Script = (line, socket) => {
      if (!line.endsWith('n005')) return 'OK\r\n';
      socket.destroy();
      return undefined;
    };
    await using server = await startScripted(poisoned);
    const { done, abandoned } = await runPings(server, names.slice(0, 60), { retries: 2, way });
    expect([...abandoned.keys()]).toEqual(['n005']);
    expect(done).toEqual(names.slice(0, 60).filter((name) => name !== 'n005'));
    expect(server.lines.filter((line) => line.endsWith('n005')).length).toBe(3);
  });

  test('a server that is busy is asked again, and only so often', async () => {
    const asked = new Map<string, number>();
    await using server = await startScripted((line) => {
      const count = (asked.get(line) ?? 0) + 1;
      asked.set(line, count);
      const isReady = line.endsWith('n001') ? count > 1 : count > 100;
      return isReady ? 'OK\r\n' : 'ERR BUSY retry=later: not now\r\n';
    });
    const { done, abandoned } = await runPings(server, ['n001', 'n002'], { retries: 2, way });
    expect([done, [...abandoned.keys()], asked.get('PING n002')]).toEqual([['n001'], ['n002'], 3]);
  });

  test('what is refused for good is not asked again', async () => {
    await using server = await startScripted(() => 'ERR NOTFOUND retry=no: nothing\r\n');
    const { abandoned } = await runPings(server, ['n001'], { way });
    expect([abandoned.get('n001')?.message, server.lines.length]).toEqual(['NOTFOUND: nothing', 1]);
  });

  test('a server that takes one connection serves everything over that one', async () => {
    let served: Socket | undefined;
    await using server = await startScripted((_line, socket) => {
      served ??= socket;
      if (socket === served) return 'OK\r\n';
      socket.end('ERR LIMIT retry=later: one connection for each\r\n');
      return undefined;
    });
    const { done, abandoned } = await runPings(server, names, { lanes: 4, retries: 0, way });
    expect([done, abandoned.size]).toEqual([names, 0]);
  });

  test('a server that takes connections and drops them is given up, whatever the number of jobs', async () => {
    await using server = await startScripted((_line, socket) => {
      socket.destroy();
      return undefined;
    });
    const { done, abandoned, fatal } = await runPings(server, names, { retries: 2, way });
    expect([done, abandoned.size, fatal]).toMatchObject([[], names.length, { code: 'CONNECTION_LOST' }]);
    expect(server.connections).toBe(3);
  });

  test('a broken protocol ends that job, and what comes after is asked on another connection', async () => {
    await using server = await startScripted((line) => (line.endsWith('n003') ? 'WHAT\r\n' : 'OK\r\n'));
    const { abandoned } = await runPings(server, names.slice(0, 6), { way });
    expect(abandoned.get('n003')).toMatchObject({ code: 'PROTOCOL_VIOLATED' });
  });

  test('nobody there: every job ends, and the reason is the one of the first dial', async () => {
    const all = new Lanes({
      lanes: 2,
      retries: 5,
      signal: new AbortController().signal,
      connect: () => Promise.reject(new Unreachable(new AppError('CONNECTION_REFUSED', 'nobody'))),
    });
    const ended: string[] = [];
    const running = all.run();
    for (const name of ['a', 'b']) {
      const job = {
        weightBytes: 1,
        movedBytes: 0,
        run: () => Promise.resolve(),
        abandon: (error: Error) => void ended.push(`${name} ${error.message}`),
      };
      await all.add(job).catch(() => {});
    }
    all.close();
    await running;
    expect([ended.toSorted(), all.fatal?.message]).toEqual([['a nobody', 'b nobody'], 'nobody']);
  });

  test('an interrupt ends what is under way and what waits', async () => {
    const interrupt = new AbortController();
    await using server = await startScripted((line) => {
      if (line.endsWith('n010')) interrupt.abort();
      return line < 'PING n010' ? 'OK\r\n' : undefined;
    });
    const { done, abandoned, fatal } = await runPings(server, names, { signal: interrupt.signal, way });
    expect(fatal).toMatchObject({ code: 'TRANSFER_INTERRUPTED' });
    expect(done.length).toBeLessThanOrEqual(10);
    expect([...abandoned.values()].every((error) => error === fatal)).toBe(true);
  });
});
