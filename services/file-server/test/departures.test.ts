/** When replies leave: at once, or with those of others. */
import { describe, expect, test } from 'vitest';
import { Departures } from '../src/departures.ts';
import { MemoryStore } from './support/memory-store.ts';
import { answersTo, settled, Wire } from './support/wire.ts';

function wiresOf(count: number): Wire[] {
  const store = new MemoryStore();
  store.put('f', 'some content');
  const departures = new Departures();
  return Array.from({ length: count }, () => new Wire(store, {}, { departures }));
}

const turnEnds = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const answered = (wires: readonly Wire[]): number => wires.filter(({ output }) => output !== '').length;

describe('departures', () => {
  test.each([1, 2, 3])('%i connections that ask by turns are answered at once', (count) => {
    const wires = wiresOf(count);
    for (let round = 1; round <= 3; round += 1) {
      for (const wire of wires) {
        wire.send('PING\n');
        expect(wire.output).toBe('OK\r\n'.repeat(round));
      }
    }
  });

  test('what four or more are answered leaves at the end of the turn, all of it together', async () => {
    const wires = wiresOf(5);
    for (const wire of wires) wire.send('\n');
    for (const wire of wires) wire.send('PING\nPING\n');
    expect(answered(wires)).toBe(0);
    await turnEnds();
    expect(wires.map(({ output }) => output)).toEqual(wires.map(() => 'OK\r\nOK\r\n'));
  });

  test('one that is alone again is answered at once', async () => {
    const wires = wiresOf(5);
    for (const wire of [...wires, ...wires]) wire.send('PING\n');
    await turnEnds();
    const [first] = wires;
    first?.send('PING\n');
    await turnEnds();
    first?.send('PING\n');
    expect(first?.lines).toEqual(['OK', 'OK', 'OK', 'OK']);
  });

  test('no reply waits for more than 31 others', () => {
    const wires = wiresOf(40);
    for (const wire of wires) wire.send('\n');
    for (const wire of wires) wire.send('PING\n');
    expect(answered(wires)).toBe(32);
  });

  test('with company everything is answered as without, and in order', async () => {
    const commands = ['GET f', 'PING', 'GET f', 'STAT f', 'GET f off=3', 'SUM f', 'nonsense', 'GET f', 'QUIT'];
    const input = commands.map((line) => `${line}\n`).join('');
    const [alone] = wiresOf(1);
    const expected = alone === undefined ? '' : await answersTo(alone, input);
    const wires = wiresOf(6);
    for (const wire of wires) wire.send('\n');
    for (const wire of wires) wire.send(input);
    for (const wire of wires) await wire.settle();
    expect(expected).toContain('OK crc32=');
    // What SUM found out is known to the store from then on: the first GETs differ in that.
    const known = / sha256=[0-9a-f]+$/gm;
    const plain = (text: string): string => settled(text).replaceAll('\r', '').replaceAll(known, '');
    expect(wires.map(({ output }) => plain(output))).toEqual(wires.map(() => plain(expected)));
  });
});
