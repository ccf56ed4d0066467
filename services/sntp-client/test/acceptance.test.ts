import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge, type Reply, rejectionReasons } from '../src/acceptance.ts';
import { emptyHeader, encodeHeader, type Header, type Packet, parsePacket } from '../src/packet.ts';
import { delayOf, measure, offsetOf } from '../src/sample.ts';
import { fromUnixNs } from '../src/timestamp.ts';

const NS = 1_000_000_000n;
const T1 = 1_780_000_000n * NS;
const ORIGIN = 0x1122334455667788n;

const at = (seconds: number): bigint => fromUnixNs(T1 + BigInt(Math.round(seconds * 1e9)));

/** T1 = 0, T2 = 10.1, T3 = 10.2, T4 = 0.5: the server is 9.9 s ahead, 0.4 s were under way. */
const header: Header = {
  ...emptyHeader,
  mode: 4,
  stratum: 2,
  precision: -20,
  rootDelaySeconds: 0.02,
  rootDispersionSeconds: 0.01,
  referenceId: 1,
  reference: at(-100),
  origin: ORIGIN,
  receive: at(10.1),
  transmit: at(10.2),
};

function reply(changes: Partial<Reply> = {}, fields: Partial<Header> = {}): Reply {
  const packet: Packet = { ...header, ...fields, fields: [] };
  return {
    packet,
    fromAskedServer: true,
    origin: ORIGIN,
    answeredBefore: false,
    sentUnixNs: T1,
    receivedUnixNs: T1 + NS / 2n,
    clockStepSeconds: 0,
    sendSeconds: 10e-6,
    atSeconds: 77,
    ...changes,
  };
}

const reason = (
  changes: Partial<Reply>,
  fields: Partial<Header> = {},
  policy?: Parameters<typeof judge>[1],
): string => {
  const verdict = judge(reply(changes, fields), policy);
  return verdict.kind === 'rejected' ? verdict.reason : verdict.kind;
};

test('offset and delay of the four time stamps', () => {
  const { packet, ...times } = reply();
  expect(delayOf(packet as Packet, times)).toBeCloseTo(0.4, 9);
  expect(offsetOf(packet as Packet, times)).toBeCloseTo(9.9, 9);
});

test('an accepted reply is the measurement', () => {
  const verdict = judge(reply());
  expect(verdict).toMatchObject({ kind: 'accepted', sample: { stratum: 2, rootDelaySeconds: 0.02, atSeconds: 77 } });
});

describe('the order of the checks: the first that fails is the reason', () => {
  test('source before mode before version before origin before duplicate', () => {
    const wrong = { mode: 5, version: 1, origin: 9n };
    expect(reason({ fromAskedServer: false }, wrong)).toBe('wrong-source');
    expect(reason({ answeredBefore: true }, wrong)).toBe('wrong-mode');
    expect(reason({ answeredBefore: true }, { version: 1, origin: 9n })).toBe('wrong-version');
    expect(reason({ answeredBefore: true }, { origin: 9n })).toBe('wrong-origin');
    expect(reason({ answeredBefore: true })).toBe('duplicate');
  });

  test('a kiss counts only after origin and proof', () => {
    const deny = { stratum: 0, leap: 3, referenceId: 0x44454e59 };
    expect(reason({}, { ...deny, origin: 9n })).toBe('wrong-origin');
    expect(reason({ checkNts: () => 'nts-missing' }, deny)).toBe('nts-missing');
    expect(judge(reply({}, deny))).toEqual({ kind: 'kiss', code: 'DENY', authenticated: false });
    expect(judge(reply({ checkNts: () => undefined }, deny))).toEqual({
      kind: 'kiss',
      code: 'DENY',
      authenticated: true,
    });
  });

  test('what costs a decryption is asked only of a packet that could be the reply', () => {
    let asked = 0;
    const checkNts = () => {
      asked += 1;
      return undefined;
    };
    judge(reply({ checkNts }, { origin: 9n }));
    expect(asked).toBe(0);
    judge(reply({ checkNts }));
    expect(asked).toBe(1);
  });
});

describe('limits, on either side', () => {
  test.each([
    ['kept for 4 s', { receive: at(6.2) }, { receivedUnixNs: T1 + 5n * NS }, 'accepted'],
    ['kept for more than 4 s', { receive: at(6.19) }, { receivedUnixNs: T1 + 5n * NS }, 'held-too-long'],
    ['root distance just within', { rootDispersionSeconds: 1.48 }, {}, 'accepted'],
    ['root distance just above', { rootDispersionSeconds: 1.5 }, {}, 'root-distance'],
    ['root distance of 16 s', { rootDelaySeconds: 32, rootDispersionSeconds: 0 }, {}, 'root-distance-limit'],
    ['a reference of this very moment', { reference: at(10.2) }, {}, 'accepted'],
    ['a reference a moment ahead', { reference: at(10.201) }, {}, 'future-reference'],
    ['a reference 36 hours old', { reference: at(10.2 - 131_072) }, {}, 'accepted'],
    ['a reference older than that', { reference: at(10.2 - 131_073) }, {}, 'stale-reference'],
    ['a delay of nothing', {}, { receivedUnixNs: T1 + NS / 10n }, 'accepted'],
    ['a delay of less than nothing by a clock tick', {}, { receivedUnixNs: T1 + NS / 10n - 1_500n }, 'accepted'],
    ['a delay of less than nothing', {}, { receivedUnixNs: T1 + NS / 10n - 10_000n }, 'negative-delay'],
    ['a delay above the limit', { transmit: at(10.1) }, { receivedUnixNs: T1 + 3n * NS + 1_000n }, 'delay-limit'],
    ['a step of 5 ms', {}, { clockStepSeconds: -0.0051 }, 'clock-stepped'],
    ['held up for 20 ms', {}, { sendSeconds: 0.021 }, 'stalled'],
    ['stratum 15', { stratum: 15 }, {}, 'accepted'],
    ['stratum 16', { stratum: 16 }, {}, 'bad-stratum'],
    ['version 3', { version: 3 }, {}, 'accepted'],
  ] as const)('%s', (_name, fields, changes, expected) => {
    expect(reason(changes, fields)).toBe(expected);
  });

  test('a server that claims a precision of years buys no negative delay with it', () => {
    const early = { receivedUnixNs: T1 + NS / 10n - NS / 100n };
    expect(reason(early, { precision: 120 })).toBe('negative-delay');
    const { packet, ...times } = reply({}, { precision: 120 });
    expect(measure(packet as Packet, times, 0).dispersionSeconds).toBeLessThan(2);
  });
});

test('50,000 mutated replies: none is accepted without the right origin, nothing is thrown', () => {
  const good = encodeHeader(header);
  const mutation = fc.record({ at: fc.nat(47), value: fc.nat(255) });
  const shape = fc.record({
    mutations: fc.array(mutation, { minLength: 1, maxLength: 6 }),
    tail: fc.uint8Array({ maxLength: 40 }),
    cut: fc.option(fc.nat(60), { freq: 10 }),
  });
  fc.assert(
    fc.property(shape, ({ mutations, tail, cut }) => {
      const bytes = Buffer.concat([good, tail]).subarray(0, cut === null ? undefined : cut);
      for (const { at: index, value } of mutations) if (index < bytes.length) bytes[index] = value;
      const parsed = parsePacket(bytes);
      const verdict = judge(reply({ packet: parsed.ok ? parsed.packet : parsed.problem }));
      if (verdict.kind !== 'rejected') expect(bytes.readBigUInt64BE(24)).toBe(ORIGIN);
      else expect(Object.keys(rejectionReasons)).toContain(verdict.reason);
    }),
    { seed: 10, numRuns: 50_000 },
  );
});
