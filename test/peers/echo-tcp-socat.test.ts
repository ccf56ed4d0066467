import { describe, expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';
import { allBytes, seededBytes } from '../support/splits.ts';

const socat = program('socat');

describe('socat', () => {
  testWith([socat], 'sends, half-closes, and gets everything back', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const sent = Buffer.concat([allBytes, seededBytes(300_000, 1)]);
    const { code, stdout } = await runWith(sent, 'socat', '-t', '20', '-', `TCP:127.0.0.1:${daemon.port}`);
    expect(code).toBe(0);
    expect(stdout.equals(sent)).toBe(true);
  });

  testWith([socat], 'a reset (SO_LINGER of zero) is a record and nothing more', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const target = `TCP:127.0.0.1:${daemon.port},linger=0`;
    await runWith('hi', 'socat', '-u', '-', target);
    const { reason } = await daemon.record('connection-closed');
    expect(['reset', 'peer-closed']).toContain(reason);
    const { stdout } = await runWith('served', 'socat', '-t', '20', '-', `TCP:127.0.0.1:${daemon.port}`);
    expect(String(stdout)).toBe('served');
    expect(daemon.records.map(({ level }) => level)).not.toContain('error');
  });
});
