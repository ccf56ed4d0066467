import { describe, expect, test } from 'vitest';
import { FIRST_ROW, LoopWatch } from '../../src/server/loop-watch.ts';
import { source } from './udp-support.ts';

/** An echo: what arrives is answered with itself, unless the watch says not to. */
function echoOf(watch: LoopWatch) {
  return (from: ReturnType<typeof source>, bytes: Uint8Array): boolean => {
    if (watch.shouldBreak(from, bytes, 0, bytes.length)) return false;
    watch.answered(bytes, 0, bytes.length);
    return true;
  };
}

const peer = source('192.0.2.1', 9_999);
const payload = Buffer.from('the same bytes, to and fro');

describe('the loop watch', () => {
  test('a loop of one datagram ends after a bounded number of answers', () => {
    const echo = echoOf(new LoopWatch(1));
    let answers = 0;
    while (echo(peer, payload)) answers += 1;
    expect(answers).toBe(FIRST_ROW);
  });

  test('two echo servers set upon each other fall silent, each in reach of the other', () => {
    const [one, two] = [echoOf(new LoopWatch(1)), echoOf(new LoopWatch(2))];
    let packets = 0;
    while (one(source('127.0.0.1', 2), payload) && two(source('127.0.0.1', 1), payload)) packets += 2;
    expect(packets).toBeLessThanOrEqual(2 * FIRST_ROW);
  });

  test.each([0, 1, 7, 64, 1_472, 65_507])('also a loop of datagrams of %i bytes', (length) => {
    const echo = echoOf(new LoopWatch(1));
    const bytes = Buffer.alloc(length, 0xab);
    let answers = 0;
    while (echo(peer, bytes) && answers <= FIRST_ROW) answers += 1;
    expect(answers).toBe(FIRST_ROW);
  });

  test('who goes on after the break is answered again, and loses ever fewer', () => {
    const echo = echoOf(new LoopWatch(1));
    let lost = 0;
    for (let sent = 0; sent < 10 * FIRST_ROW; sent++) if (!echo(peer, payload)) lost += 1;
    expect(lost).toBe(3);
    for (let sent = 0; sent < 1_000_000; sent++) if (!echo(peer, payload)) lost += 1;
    expect(lost).toBeLessThan(12);
  });

  test('a datagram that differs in any byte near its end of a row starts the row anew', () => {
    const echo = echoOf(new LoopWatch(1));
    const bytes = Buffer.alloc(1_400, 7);
    for (let round = 0; round < 3; round++) {
      for (let sent = 1; sent < FIRST_ROW; sent++) expect(echo(peer, bytes)).toBe(true);
      // In the middle, where it is not looked at in every datagram.
      bytes[700] = (bytes[700] ?? 0) + 1;
    }
  });

  test('numbered datagrams of one size lose nothing, wherever the number stands', () => {
    for (const offset of [0, 28, 700, 1_396]) {
      const echo = echoOf(new LoopWatch(1));
      const bytes = Buffer.alloc(1_400, 7);
      for (let sent = 0; sent < 3 * FIRST_ROW; sent++) {
        bytes.writeUInt32BE(sent, offset);
        expect(echo(peer, bytes)).toBe(true);
      }
    }
  });

  test('endpoints are told apart by address and by port', () => {
    const echo = echoOf(new LoopWatch(1));
    const others = [source('192.0.2.1', 9_998), source('192.0.2.2', 9_999), source('2001:db8::1', 9_999)];
    for (let sent = 0; sent < FIRST_ROW; sent++) expect(echo(peer, payload)).toBe(true);
    for (const other of others) expect(echo(other, payload)).toBe(true);
    expect(echo(peer, payload)).toBe(false);
  });

  test('equal datagrams that got no answer are no loop', () => {
    const watch = new LoopWatch(1);
    for (let sent = 0; sent < 3 * FIRST_ROW; sent++) {
      expect(watch.shouldBreak(peer, payload, 0, payload.length)).toBe(false);
    }
  });
});
