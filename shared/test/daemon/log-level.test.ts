import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import { LogLevelControl } from '../../src/daemon/log-level.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function start(level: 'fatal' | 'info') {
  const records: Record<string, unknown>[] = [];
  const log = createLog({ service: 'test', level, stream: { write: (line) => records.push(JSON.parse(line)) } });
  return { log, records, control: new LogLevelControl(log, level) };
}

describe('LogLevelControl', () => {
  test('another level holds for its time and goes back by itself, and the log tells of both', () => {
    const { log, records, control } = start('info');
    control.override('debug', 60_000);
    expect([log.level, control.state]).toEqual(['debug', { level: 'debug', configured: 'info', revertsInMs: 60_000 }]);
    vi.advanceTimersByTime(59_999);
    expect(control.state.revertsInMs).toBe(1);
    vi.advanceTimersByTime(1);
    expect([log.level, control.state]).toEqual(['info', { level: 'info', configured: 'info' }]);
    expect(records).toMatchObject([
      { event: 'log-level-changed', from: 'info', to: 'debug', ttlMs: 60_000, msg: 'log level info -> debug, for 1m' },
      { event: 'log-level-changed', from: 'debug', to: 'info', msg: 'log level debug -> info, as configured' },
    ]);
  });

  test('the log tells of it at any level: also who silences it leaves a record', () => {
    const { records, log, control } = start('info');
    control.override('fatal', 60_000);
    expect([records.length, log.level]).toEqual([1, 'fatal']);
  });

  test('a second request replaces the first with its time', () => {
    const { log, control } = start('info');
    control.override('debug', 10_000);
    control.override('trace', 60_000);
    vi.advanceTimersByTime(10_000);
    expect(log.level).toBe('trace');
    vi.advanceTimersByTime(50_000);
    expect(log.level).toBe('info');
  });

  test("a reload's level waits until the other one's time is over, and holds at once without one", () => {
    const { log, control } = start('info');
    control.override('debug', 10_000);
    control.configure('warn');
    expect([log.level, control.state.configured]).toEqual(['debug', 'warn']);
    vi.advanceTimersByTime(10_000);
    expect(log.level).toBe('warn');
    control.configure('error');
    expect(log.level).toBe('error');
  });
});
