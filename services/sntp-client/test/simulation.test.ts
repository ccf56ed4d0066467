/** The whole of the arithmetic against worlds in which the truth is known. */

import { monoSeconds } from '@small-servers/shared/clock/clock';
import { describe, expect, test } from 'vitest';
import { exchange, type SimulatedServer, seededRandom, World } from '../../../test/support/ntp-simulator.ts';
import { addPoint, type DriftState, estimateDrift } from '../src/drift.ts';
import { addSample, estimate, type FilterState } from '../src/filter.ts';
import { boundOf } from '../src/sample.ts';
import { select } from '../src/selection.ts';

/** Servers, networks and a clock as they can be met, from a LAN to the far side of a satellite. */
function scenario(seed: number) {
  const random = seededRandom(seed);
  const spread = (least: number, most: number): number => least * (most / least) ** random();
  const world = new World({
    aheadSeconds: (random() - 0.5) * spread(1e-3, 1e6),
    driftRate: (random() - 0.5) * 190e-6,
  });
  const servers = Array.from({ length: 1 + Math.floor(random() * 5) }, (): SimulatedServer => {
    const rootDispersionSeconds = spread(1e-5, 0.2);
    return {
      path: {
        thereSeconds: spread(2e-5, 0.4),
        backSeconds: spread(2e-5, 0.4),
        queueSeconds: spread(1e-6, 0.05),
        loss: random() < 0.3 ? random() * 0.5 : 0,
      },
      // An honest server is off from the truth, and says by how much it can be.
      lieSeconds: (random() * 2 - 1) * rootDispersionSeconds * 0.99,
      rootDispersionSeconds,
    };
  });
  return { random, world, servers };
}

interface Claim {
  readonly errorSeconds: number;
  readonly boundSeconds: number;
}

/** Four rounds of polls; every sample and the answer at the end as claims about what is known to be true. */
function play(seed: number): { samples: readonly Claim[]; answer: Claim | 'no-majority' | 'no-candidates' } {
  const { random, world, servers } = scenario(seed);
  const samples: Claim[] = [];
  const filters: FilterState[] = servers.map(() => []);
  const claim = (offsetSeconds: number, boundSeconds: number): Claim => ({
    errorSeconds: Math.abs(offsetSeconds - world.trueOffsetSeconds),
    boundSeconds,
  });
  for (let round = 0; round < 4; round++) {
    for (const [index, server] of servers.entries()) {
      const outcome = exchange(world, server, random);
      if (outcome.kind !== 'sample') continue;
      samples.push(claim(outcome.sample.offsetSeconds, boundOf(outcome.sample)));
      filters[index] = addSample(filters[index] ?? [], outcome.sample);
    }
    // The clock is set now and then; what was measured before is then forgotten, as the watcher does.
    if (round === 1 && random() < 0.2) {
      world.step((random() - 0.5) * 100);
      filters.fill([]);
    }
    world.pass(random() * 64);
  }
  const nowSeconds = monoSeconds({ monoNs: world.clock.monoNs() });
  const candidates = filters.flatMap((filter, index) => {
    const found = estimate(filter, nowSeconds);
    return found ? [{ name: String(index), offsetSeconds: found.offsetSeconds, boundSeconds: found.boundSeconds }] : [];
  });
  const answer = select(candidates);
  return {
    samples,
    answer: answer.kind === 'selected' ? claim(answer.offsetSeconds, answer.boundSeconds) : answer.kind,
  };
}

/** What is lost by reckoning in nanoseconds. */
const ROUNDING_SECONDS = 1e-9;

const isWrong = ({ errorSeconds, boundSeconds }: Claim): boolean => errorSeconds > boundSeconds + ROUNDING_SECONDS;

test('10,000 scenarios: the error of every sample is within its bound, and that of every answer', () => {
  const wrong: unknown[] = [];
  let samples = 0;
  let answers = 0;
  for (let seed = 1; seed <= 10_000; seed++) {
    const played = play(seed);
    samples += played.samples.length;
    wrong.push(...played.samples.filter(isWrong).map((sample) => ({ seed, sample })));
    if (played.answer === 'no-majority') wrong.push({ seed, answer: played.answer });
    if (typeof played.answer === 'string') continue;
    answers += 1;
    if (isWrong(played.answer)) wrong.push({ seed, answer: played.answer });
  }
  expect(wrong).toEqual([]);
  expect(samples).toBeGreaterThan(80_000);
  expect(answers).toBeGreaterThan(9_900);
});

describe('the drift of the local clock', () => {
  test.each([-80e-6, -3e-6, 0, 12e-6, 95e-6])('of %d is found over a network with jitter', (driftRate) => {
    const random = seededRandom(11);
    const world = new World({ aheadSeconds: 0.3, driftRate });
    const server: SimulatedServer = {
      path: { thereSeconds: 0.01, backSeconds: 0.012, queueSeconds: 0.001, loss: 0.05 },
    };
    let points: DriftState = [];
    const errors: number[] = [];
    for (let poll = 0; poll < 64; poll++) {
      const outcome = exchange(world, server, random);
      if (outcome.kind === 'sample') {
        const { atSeconds, offsetSeconds } = outcome.sample;
        points = addPoint(points, { atSeconds, offsetSeconds, boundSeconds: boundOf(outcome.sample) });
        const found = estimateDrift(points);
        // A clock that is fast falls behind by what must be added to it, in its own seconds.
        if (found) errors.push(Math.abs(found.drift - -driftRate / (1 + driftRate)));
      }
      world.pass(256);
    }
    expect(errors.length).toBeGreaterThan(50);
    expect(errors.at(-1)).toBeLessThan(0.5e-6);
    expect(errors.at(-1)).toBeLessThan((errors[0] ?? 0) + 1e-9);
    expect(estimateDrift(points)?.uncertainty).toBeLessThan(1e-6);
  });
});

test('the simulator tells a lie from the truth: a server beyond its own bound is not contained', () => {
  const world = new World({ aheadSeconds: 0, driftRate: 0 });
  const path = { thereSeconds: 0.01, backSeconds: 0.01, queueSeconds: 0, loss: 0 };
  const outcome = exchange(world, { path, lieSeconds: 1, rootDispersionSeconds: 0.1 }, seededRandom(1));
  const sample = outcome.kind === 'sample' ? outcome.sample : undefined;
  expect(Math.abs((sample?.offsetSeconds ?? 0) - world.trueOffsetSeconds)).toBeGreaterThan(
    sample ? boundOf(sample) : 9,
  );
});
