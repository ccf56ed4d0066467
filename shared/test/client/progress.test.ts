import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { showProgress } from '../../src/client/progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function terminal(columns = 80) {
  const written: string[] = [];
  return { columns, written, write: (text: string) => written.push(text) };
}

describe('showProgress', () => {
  test('shows how far it is, and wipes the line at the end', () => {
    const screen = terminal();
    let fraction = 0.5;
    const wipe = showProgress({ terminal: screen, fraction: () => fraction, label: () => 'half' });
    vi.advanceTimersByTime(100);
    expect(screen.written.at(-1)).toBe(`\r\x1b[K[${'#'.repeat(15)}${'.'.repeat(15)}] half`);
    fraction = 7;
    vi.advanceTimersByTime(100);
    expect(screen.written.at(-1)).toContain(`[${'#'.repeat(30)}]`);
    wipe();
    expect(screen.written.at(-1)).toBe('\r\x1b[K');
    const { length } = screen.written;
    vi.advanceTimersByTime(1_000);
    expect(screen.written).toHaveLength(length);
  });

  test('never wraps on a narrow terminal', () => {
    const screen = terminal(20);
    const wipe = showProgress({ terminal: screen, fraction: () => 0, label: () => 'a long label' });
    vi.advanceTimersByTime(100);
    expect(screen.written.at(-1)?.replace('\r\x1b[K', '')).toHaveLength(19);
    wipe();
  });

  test('away from a terminal nothing is shown', () => {
    const wipe = showProgress({ terminal: undefined, fraction: () => 0, label: () => '' });
    expect(vi.getTimerCount()).toBe(0);
    wipe();
  });
});
