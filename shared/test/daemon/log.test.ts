import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';

function start(level: 'info' | 'debug' = 'info') {
  const lines: string[] = [];
  const now = (): number => Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const log = createLog({ service: 'echo-tcp', level, stream: { write: (line) => lines.push(line) }, now });
  return { log, lines };
}

describe('a record', () => {
  test('is one JSON line: level as a word, ISO time in UTC, the fields in their order, the sentence last', () => {
    const { log, lines } = start();
    log.info({ event: 'connection-closed', conn: '2f', peer: '[::1]:4711', bytesIn: 1, reason: 'idle' }, 'it closed');
    expect(lines).toEqual([
      '{"level":"info","time":"2026-01-02T03:04:05.006Z","service":"echo-tcp",' +
        `"pid":${process.pid},"event":"connection-closed","conn":"2f","peer":"[::1]:4711","bytesIn":1,` +
        '"reason":"idle","msg":"it closed"}\n',
    ]);
  });

  test.each(['fatal', 'error', 'warn', 'info'] as const)('of level %s carries that label', (level) => {
    const { log, lines } = start();
    log[level]({ event: 'x' }, 'y');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level, event: 'x', msg: 'y' });
  });

  test('stays one line whatever the text, and reads back as it was', () => {
    const { log, lines } = start();
    const hostile = '"}\n{"level":"fatal","event":"forged"}\r\n\u2028\u001b[2J%s %d %j\0';
    log.warn({ event: 'x', preview: hostile }, hostile);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).toMatch(/^[^\p{Cc}]*$/u);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'x', preview: hostile, msg: hostile });
  });

  test('what JSON has no words for is written all the same, on one line', () => {
    const { log, lines } = start();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    log.info({ event: 'x', circle }, 'y');
    log.info({ event: 'x', big: 1n, left: undefined, none: null, not: Number.NaN }, 'y');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'x', msg: 'y' },
      { event: 'x', none: null, msg: 'y' },
    ]);
  });

  test('that was made into text by its writer is the same line', () => {
    const { log, lines } = start('info');
    log.info({ event: 'x', conn: '1', count: 2 }, 'y');
    log.writeOwn('info', { event: 'x', own: '"conn":"1","count":2,"msg":"y"' });
    expect(lines[1]).toBe(lines[0]);
  });

  test('below the level is not written, and the hot path can ask beforehand', () => {
    const { log, lines } = start('info');
    log.debug({ event: 'x' }, 'y');
    expect(lines).toEqual([]);
    log.writeOwn('debug', { event: 'x', own: '"msg":"y"' });
    expect(lines).toEqual([]);
    expect([log.isLevelEnabled('debug'), log.isLevelEnabled('warn')]).toEqual([false, true]);
  });
});
