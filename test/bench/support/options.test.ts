import { describe, expect, test } from 'vitest';
import { choosePeers, parseBenchOptions, UsageError } from './options.ts';

const benches = ['tcp-echo', 'udp-echo'];
const parse = (...argv: string[]) => parseBenchOptions(argv, benches);

describe('parseBenchOptions', () => {
  test('nothing given runs every bench with the defaults', () => {
    expect(parse()).toEqual({
      names: benches,
      options: { rounds: 5, seconds: 1.5, only: [], json: false },
      help: false,
    });
  });

  test('names, numbers and lists of peers are read, lists from commas and from repetition', () => {
    expect(parse('udp-echo', '--rounds', '3', '--seconds=0.5', '--only', 'a,b', '--only', 'c', '--json')).toEqual({
      names: ['udp-echo'],
      options: { rounds: 3, seconds: 0.5, only: ['a', 'b', 'c'], json: true },
      help: false,
    });
  });

  test.each([
    [['http'], 'no bench is called http; there are: tcp-echo, udp-echo'],
    [['--rounds', '0'], '--rounds: "0" is not a whole number from 1 to 1000'],
    [['--rounds', 'many'], '--rounds: "many" is not a whole number from 1 to 1000'],
    [['--seconds', '0'], '--seconds: "0" is not a number from 0.05 to 3600'],
    [['--turns', '3'], "Unknown option '--turns'"],
  ])('%j is refused with a sentence that says why', (argv, problem) => {
    expect(parse(...argv)).toEqual({ problem: expect.stringContaining(problem) });
  });
});

describe('choosePeers', () => {
  const peers = [{ name: 'limit' }, { name: 'ours' }, { name: 'other' }];
  const choose = (...only: string[]) =>
    choosePeers(peers, { rounds: 1, seconds: 1, only, json: false }, 'limit').map(({ name }) => name);

  test('the reference always takes part, or there would be no ratio', () => {
    expect(choose('other')).toEqual(['limit', 'other']);
    expect(choose()).toEqual(['limit', 'ours', 'other']);
  });

  test('a name that no peer has is refused together with those there are', () => {
    expect(() => choose('theirs')).toThrow(UsageError);
    expect(() => choose('theirs')).toThrow('no peer is called theirs; there are: limit, ours, other');
  });
});
