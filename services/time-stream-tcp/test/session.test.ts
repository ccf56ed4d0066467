/** One connection in virtual time: what is logged, answered and closed, to the millisecond. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/ntp-simulator.ts';
import { commands } from '../src/protocol.ts';
import { TestHost } from './host.ts';

const A = '2026-11-20 10:00:00';
const B = '2026-11-20 10:00:01';
const C = '2026-11-20 10:00:02';

/** The wall clock of the world after so many milliseconds, as a stamp with milliseconds. */
const stampAt = (ms: number): string => new Date(Date.UTC(2026, 10, 20, 10) + ms).toISOString();

describe('stamps', () => {
  test('three records split at every byte are three records, each as old as its last byte', async () => {
    for (const stream of [A + B + C, `${A}\n${B}\r\n${C}\n`, `${A}Z seq=1\n${B}.5Z seq=2 mono=9\n${C}\n`]) {
      for (let at = 1; at < stream.length; at++) {
        const host = new TestHost();
        host.receive(stream.slice(0, at));
        await host.world.pass(100);
        host.receive(stream.slice(at));
        await host.world.pass(5_000);
        host.session.onEnd();
        expect(host.of('stamp'), `cut at ${at}`).toHaveLength(3);
        expect(host.records.filter(({ event }) => event === 'bad-line')).toEqual([]);
        const contents = stream.split(/\r?\n/).filter((part) => part !== '');
        const ends = contents.length === 1 ? [19, 38, 57] : contents.map((part) => stream.indexOf(part) + part.length);
        expect(host.of('stamp').map(({ receivedAt }) => receivedAt)).toEqual(
          ends.map((end) => (end <= at ? '2026-11-20T10:00:00.000Z' : '2026-11-20T10:00:00.100Z')),
        );
      }
    }
  });

  test('the record says what was sent, when it came, and what it is off', async () => {
    const host = new TestHost({ clientZone: 'Europe/Berlin' });
    await host.world.pass(1_500);
    host.receive(`${stampAt(1_400)} seq=4 mono=123 host=web\n2026-11-20 11:00:01\n`);
    expect(host.of('stamp')).toEqual([
      {
        level: 'info',
        event: 'stamp',
        conn: '1',
        peer: '192.0.2.7:50000',
        clientTime: '2026-11-20T10:00:01.400Z',
        receivedAt: '2026-11-20T10:00:01.500Z',
        offsetMs: -100,
        seq: 4,
        mono: 123,
        setMs: 0,
        pairs: 'host=web',
        msg: '192.0.2.7:50000: -100.000 ms',
      },
      {
        level: 'info',
        event: 'stamp',
        conn: '1',
        peer: '192.0.2.7:50000',
        clientTime: '2026-11-20 11:00:01',
        receivedAt: '2026-11-20T10:00:01.500Z',
        offsetMs: -500,
        assumedZone: 'Europe/Berlin',
        msg: '192.0.2.7:50000: -0.5 s',
      },
    ]);
    expect(host.printed).toEqual([
      '2026-11-20T10:00:01.400Z from 192.0.2.7:50000',
      '2026-11-20 11:00:01 from 192.0.2.7:50000',
    ]);
  });

  test('pairs can hold quotes and backslashes, and forge nothing', () => {
    const host = new TestHost();
    host.receive(`${A}Z note="\\","level":"fatal" path=\\\n`);
    expect(host.of('stamp')).toMatchObject([{ level: 'info', pairs: 'note="\\","level":"fatal" path=\\' }]);
  });

  test('a stamp with nothing after it is taken after a quarter of a second, as old as it is', async () => {
    const host = new TestHost();
    host.receive(A);
    await host.world.pass(249);
    expect(host.of('stamp')).toEqual([]);
    await host.world.pass(2);
    expect(host.of('stamp')).toMatchObject([{ clientTime: A, receivedAt: '2026-11-20T10:00:00.000Z', offsetMs: 0 }]);
    host.receive(B);
    await host.world.pass(300);
    expect(host.clientTimes).toEqual([A, B]);
  });

  test('a client whose stamps have line ends gets a second for them', async () => {
    const host = new TestHost();
    host.receive(`${A}\n`, B);
    await host.world.pass(900);
    host.receive(' seq=1\n');
    expect(host.of('stamp')).toMatchObject([{ clientTime: A }, { clientTime: B, seq: 1 }]);
    expect(host.connection.sent).toBe('');
  });

  test('what comes later than that of a stamp is passed over, and the next stamp is whole', async () => {
    for (const tail of ['\n', '\r\n', ' seq=1\n', '.25Z\n', 'Z seq=1\r\n', '+02:00\n']) {
      const host = new TestHost();
      host.receive(A);
      await host.world.pass(2_000);
      host.receive(`${tail}${B}\n`);
      expect(host.clientTimes, JSON.stringify(tail)).toEqual([A, B]);
      expect(host.connection.sent).toBe('');
      expect(host.counters.lateTails).toBe(tail.trim() === '' ? 0 : 1);
    }
  });

  test('the end of the connection ends a stamp and a line', () => {
    const host = new TestHost();
    host.receive(`${A} seq=7`);
    host.session.onEnd();
    expect(host.of('stamp')).toMatchObject([{ clientTime: A, seq: 7 }]);
    expect(host.connection.ended).toBe(true);

    const half = new TestHost();
    half.receive('LI', 'ST');
    half.session.onEnd();
    expect(half.connection.sent).toContain('1 client');
  });

  test('ten minutes of the course are 600 records and no missed second, with drift and jitter', async () => {
    const host = new TestHost({ maxOffsetMs: 60_000 });
    const random = seededRandom(2);
    for (let second = 0; second < 600; second++) {
      host.world.after(second * 1000 + 20 * random(), () => {
        host.receive(
          stampAt(second * 1000 * (1 + 50e-6))
            .slice(0, 19)
            .replace('T', ' '),
        );
      });
    }
    await host.world.pass(601_000);
    host.session.onClose();
    expect(host.of('stamp')).toHaveLength(600);
    expect(new Set(host.clientTimes).size).toBe(600);
    expect(host.of('clock-summary')).toMatchObject([{ stamps: 600, missedSeconds: 0, steps: 0, wrong: false }]);
  });
});

describe('what a clock is worth', () => {
  test('one that is ahead is wrong at once, one that is behind when no stamp came in time; and right again once it is', async () => {
    const ahead = new TestHost();
    ahead.receive(`${stampAt(1_500)}\n`);
    expect(ahead.of('clock-wrong')).toMatchObject([{ level: 'warn', offsetMs: 1500 }]);
    await ahead.world.pass(1_000);
    ahead.receive(`${stampAt(1_000)}\n`);
    expect(ahead.of('clock-right')).toMatchObject([{ level: 'info' }]);

    const behind = new TestHost();
    for (const second of [0, 1]) {
      behind.receive(`${stampAt(second * 1000 - 5_000)}\n`);
      await behind.world.pass(1_000);
    }
    expect(behind.of('clock-wrong')).toEqual([]);
    behind.receive(`${stampAt(-3_000)}\n`);
    expect(behind.of('clock-wrong')).toMatchObject([{ offsetMs: -5000 }]);
    expect(behind.of('clock-wrong')).toHaveLength(1);
  });

  test('a second that whole seconds leave out makes no clock wrong', async () => {
    const host = new TestHost();
    for (let second = 0; second < 20; second++) {
      await host.world.pass(1_000);
      host.receive(
        `${stampAt(host.world.nowMs - 900)
          .slice(0, 19)
          .replace('T', ' ')}\n`,
      );
    }
    expect(host.of('clock-wrong')).toEqual([]);
  });

  test.each([3_600_000, -3_600_000])('a clock set by %d ms is one step record', async (by) => {
    const host = new TestHost();
    for (let second = 0; second < 60; second++) {
      await host.world.pass(1_000);
      host.receive(
        `${stampAt(host.world.nowMs + (second >= 30 ? by : 0))
          .slice(0, 19)
          .replace('T', ' ')}`,
      );
    }
    host.session.onClose();
    expect(host.of('step')).toMatchObject([{ level: 'warn', stepMs: by, witness: 'arrival' }]);
    expect(host.of('clock-summary')).toMatchObject([{ steps: 1, offsetMs: by, missedSeconds: 0, wrong: true }]);
  });

  test('the server setting its own clock is no step of its clients', async () => {
    const host = new TestHost();
    for (let second = 0; second < 60; second++) {
      await host.world.pass(1_000);
      if (second === 30) host.server.step(7_200_000);
      host.receive(`${stampAt(host.world.nowMs)}\n`);
    }
    expect(host.of('step')).toEqual([]);
    expect(host.of('stamp').at(-1)).toMatchObject({ offsetMs: -7_200_000 });
    expect(host.of('clock-wrong')).toMatchObject([{ offsetMs: -7_200_000 }]);
  });
});

describe('commands', () => {
  test('HELP has every one of them', () => {
    const host = new TestHost();
    host.receive('HELP\n');
    for (const [name, what] of Object.entries(commands))
      expect(host.connection.sent).toMatch(new RegExp(`^  ${name} +${what}\r$`, 'm'));
  });

  test('case, spaces and the manner of the line end do not matter', () => {
    const host = new TestHost();
    host.receive('time\r\n', ' TIME \n', 'Time\n');
    expect(host.connection.lines).toEqual(Array(3).fill('2026-11-20T10:00:00.000000Z mono=0'));
  });

  test('WATCH is a line a second on the second, and a step of the clock is one of its own', async () => {
    const host = new TestHost();
    await host.world.pass(300);
    host.receive('WATCH\n');
    await host.world.pass(2_000);
    host.server.step(3_600_000);
    await host.world.pass(1_000);
    host.receive('WATCH\n');
    await host.world.pass(1_000);
    expect(host.connection.lines).toEqual([
      '2026-11-20T10:00:01.000000Z seq=0 mono=1000000000',
      '2026-11-20T10:00:02.000000Z seq=1 mono=2000000000',
      'STEP +3600.000000',
      '2026-11-20T11:00:03.000000Z seq=2 mono=3000000000',
      '2026-11-20T11:00:04.000000Z seq=3 mono=4000000000',
    ]);
  });

  test('ten minutes of WATCH are 600 lines, which this server itself reads as a perfect clock', async () => {
    const host = new TestHost();
    host.receive('WATCH\n');
    await host.world.pass(600_000);
    expect(host.connection.lines).toHaveLength(600);
    const reader = new TestHost();
    for (const line of host.connection.lines) {
      await reader.world.pass(1_000);
      reader.receive(`${line}\r\n`);
    }
    reader.session.onClose();
    expect(reader.of('clock-summary')).toMatchObject([
      { stamps: 600, offsetMs: 0, missedSeconds: 0, seqMissing: 0, steps: 0, driftPpm: 0 },
    ]);
  });

  test('one who watches and takes nothing gets no more, and the gap shows', async () => {
    const host = new TestHost();
    host.receive('WATCH\n');
    await host.world.pass(1_000);
    host.connection.unsentBytes = 20_000;
    await host.world.pass(5_000);
    host.connection.unsentBytes = 0;
    await host.world.pass(1_000);
    expect(host.connection.lines.map((line) => /seq=\d+/.exec(line)?.[0])).toEqual(['seq=0', 'seq=6']);
    expect(host.counters.watchLinesSkipped).toBe(5);
  });

  test('a peer that ends its side right after WATCH gets its lines; one that does so later has left', async () => {
    const script = new TestHost();
    script.receive('WATCH\n');
    await script.world.pass(100);
    script.session.onEnd();
    expect(script.connection.ended).toBe(false);
    await script.world.pass(2_000);
    expect(script.connection.lines).toHaveLength(2);

    const person = new TestHost();
    person.receive('WATCH\n');
    await person.world.pass(3_000);
    person.session.onEnd();
    expect(person.connection.ended).toBe(true);
  });

  test('nobody watches: nothing ticks', async () => {
    const host = new TestHost();
    host.receive('WATCH\n');
    host.session.onClose();
    await host.world.pass(10_000);
    expect(host.connection.sent).toBe('');
  });

  test('Ctrl-C in telnet ends it, after whatever was said, cut at any byte', () => {
    for (const cuts of [
      ['WATCH\r\n', '\xff\xf4\xff\xfd\x06'],
      ['WATCH\r\n\xff', '\xf4'],
      ['WATCH\r\n\xff\xf4time\r\n'],
    ]) {
      const host = new TestHost();
      host.receive(...cuts);
      expect(host.connection.closedFor).toBe('server-closed');
      expect(host.connection.sent).toBe('');
    }
  });

  test('QUIT ends it', () => {
    const host = new TestHost();
    host.receive(`QUIT\n${A}\n`);
    expect(host.connection.closedFor).toBe('server-closed');
    expect(host.clientTimes).toEqual([]);
  });
});

describe('what is neither', () => {
  test.each([
    ['\x1b[2J\x1b]0;owned\x07', 'unknown', '\\x1b[2J\\x1b]0;owned\\x07'],
    ['{"level":"fatal","event":"forged"}', 'unknown', '{"level":"fatal","event":"forged"}'],
    ['\xff\xfe\xc3\x28', 'unknown', '\\xff\\xfe\\xc3('],
    ['\u0000\u0000', 'unknown', '\\x00\\x00'],
    ['NaN', 'unknown', 'NaN'],
    ['275760-09-13 00:00:00', 'unknown', '275760-09-13 00:00:00'],
    ['+275760-09-13T00:00:00Z', 'unknown', '+275760-09-13T00:00:00Z'],
    ['2026-11-20', 'bad-form', '2026-11-20'],
    ['10:00:00', 'bad-form', '10:00:00'],
    ['20.11.2026 10:00', 'bad-form', '20.11.2026 10:00'],
    ['2026-02-30 10:00:00', 'no-such-date', '2026-02-30 10:00:00'],
    [`${A} seq=NaN`, 'bad-pair', `${A} seq=NaN`],
  ])('%j is one ERR line and one record', (line, reason, preview) => {
    const host = new TestHost();
    host.receive(`${line}\n`);
    expect(host.connection.lines).toHaveLength(1);
    expect(host.connection.sent).toMatch(/^ERR [a-z-]+: [\x20-\x7e]+\r\n$/);
    expect(host.records).toEqual([
      expect.objectContaining({ event: 'bad-line', level: 'info', reason, preview, errors: 1 }),
    ]);
  });

  test('the year 0 is a time, and its clock is wrong', () => {
    const host = new TestHost();
    for (let count = 0; count < 3; count++) host.receive('0000-01-01 00:00:00\n');
    expect(host.of('stamp')).toHaveLength(3);
    expect(host.of('clock-wrong')).toMatchObject([{ offsetMs: -63_962_388_000_000 }]);
    expect(host.connection.sent).toBe('');
  });

  test('a near miss is told what was meant', () => {
    const host = new TestHost();
    host.receive('WTCH\n', 'lsit\n');
    expect(host.connection.lines).toEqual([
      'ERR unknown: neither a time nor a command; HELP says what can be typed; did you mean WATCH?',
      'ERR unknown: neither a time nor a command; HELP says what can be typed; did you mean LIST?',
    ]);
  });

  test('--max-errors ends the connection with the last of them, and nothing after it counts', () => {
    const host = new TestHost({ maxErrors: 3 });
    host.receive(`x\ny\nz\n${A}\nx\n`);
    expect(host.connection.lines).toHaveLength(3);
    expect(host.connection.closedFor).toBe('protocol-error');
    expect(host.clientTimes).toEqual([]);
    expect(host.of('bad-line').map(({ errors }) => errors)).toEqual([1, 2, 3]);
  });

  test('without that limit the log still gets ten of them', () => {
    const host = new TestHost({ maxErrors: 0 });
    host.receive('x\n'.repeat(5_000));
    expect(host.connection.lines).toHaveLength(5_000);
    expect(host.of('bad-line')).toHaveLength(10);
    expect(host.counters.badLines.get('unknown')).toBe(5_000);
  });

  test('peers that come back for ten more get a hundred records a second together; the next one counts the rest', async () => {
    const host = new TestHost({ maxErrors: 0 });
    expect(host.badLineRecords.take(0, 100)).toBe(true);
    for (let count = 1; count < 1_005; count++) host.badLineRecords.take(0, 100);
    host.receive('x\n');
    expect(host.of('bad-line')).toEqual([]);
    await host.world.pass(1_000);
    host.receive('x\n', 'y\n');
    expect(host.of('bad-line').map(({ preview, unlogged }) => [preview, unlogged])).toEqual([
      ['x', 6],
      ['y', undefined],
    ]);
  });

  test('a line without end closes with its reason, whatever was before it', () => {
    const host = new TestHost({ maxLineBytes: 64 });
    host.receive(`${A}\n`, 'x'.repeat(60), 'y'.repeat(60));
    expect(host.clientTimes).toEqual([A]);
    expect(host.connection.lines).toEqual(['ERR too-long: the line does not end']);
    expect(host.connection.closedFor).toBe('protocol-error');
    expect(host.of('bad-line')).toMatchObject([{ reason: 'too-long', preview: 'y'.repeat(60) }]);
    host.receive('more\n');
    expect(host.connection.lines).toHaveLength(1);
  });

  test('a bad line that ended the connection is the last, though the rest of the read is worse', () => {
    const host = new TestHost({ maxErrors: 1, maxLineBytes: 64 });
    host.receive(`x\n${'y'.repeat(200)}`);
    expect(host.connection.lines).toHaveLength(1);
    expect(host.of('bad-line')).toHaveLength(1);
  });

  test('a peer that asks and never reads is closed before its answers fill memory', () => {
    const host = new TestHost();
    host.connection.unsentBytes = 300_000;
    host.receive('LIST\n'.repeat(1_000));
    expect(host.connection.sent).toBe('');
    expect(host.connection.closedFor).toBe('protocol-error');
    expect(host.counters.badLines.get('not-taken')).toBe(1);
  });

  test('more stamps than --stamp-records are counted, summed up and not logged', async () => {
    const host = new TestHost({ stampRecords: 10 });
    host.receive(`${A}Z\n`.repeat(1_000));
    expect(host.of('stamp')).toHaveLength(100);
    await host.world.pass(1_000);
    host.receive(`${A}Z\n`);
    expect(host.of('stamps-unlogged')).toMatchObject([{ stamps: 900 }]);
    host.session.onClose();
    expect(host.of('clock-summary')).toMatchObject([{ stamps: 1_001 }]);
  });

  test('clocks that jump with each stamp make no more records than stamps do', () => {
    const host = new TestHost({ stampRecords: 1 });
    host.receive('0000-01-01 00:00:00\n2026-11-20 10:00:00\n'.repeat(500));
    expect(host.records.length).toBeLessThanOrEqual(31);
    expect(host.counters.steps).toBe(999);
  });
});

describe('a stop', () => {
  test('ends our side of a quiet connection at once, takes what is held, reads what is under way, then closes', async () => {
    const host = new TestHost();
    host.receive(A);
    await host.world.pass(200);
    host.session.drain();
    expect(host.clientTimes).toEqual([A]);
    expect([host.connection.ended, host.connection.closedFor]).toEqual([true, undefined]);
    host.receive(B);
    await host.world.pass(300);
    expect(host.clientTimes).toEqual([A, B]);
    expect(host.connection.closedFor).toBe('drained');
  });

  test('ends a stream at once', () => {
    const host = new TestHost();
    host.receive('WATCH\n');
    host.session.drain();
    expect(host.connection.ended).toBe(true);
  });

  test('lets a question that is under way be answered, and waits for nobody longer', async () => {
    const host = new TestHost();
    host.session.drain();
    host.receive('TIME\n');
    expect(host.connection.lines).toHaveLength(1);
    for (let count = 0; count < 60; count++) {
      await host.world.pass(10);
      host.receive(`${A}\n`);
    }
    expect(host.connection.closedFor).toBe('drained');
  });
});
