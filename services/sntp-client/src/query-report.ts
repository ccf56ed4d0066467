/** The answer of a query for people and for programs. */

import { formatTable } from '@small-servers/shared/cli/table';
import { ctime, formatOffset, formatSeconds, isoTime } from '@small-servers/shared/clock/display';
import { formatEndpoint } from '@small-servers/shared/server/peer';
import { formatReferenceId, leapWords } from './packet.ts';
import type { Answer, ServerResult } from './query.ts';
import { verdictOf, verdictWords } from './verdict.ts';

/** One row of the table. */
interface ServerReport {
  readonly server: string;
  readonly address: string | undefined;
  /** `accepted`, `falseticker`, `no majority`, or how asking it ended. */
  readonly verdict: string;
  readonly detail: string;
  readonly offsetSeconds: number | undefined;
  readonly boundSeconds: number | undefined;
  readonly delaySeconds: number | undefined;
  readonly jitterSeconds: number | undefined;
  readonly stratum: number | undefined;
  readonly reference: string | undefined;
  /** How many datagrams were left aside, by reason. */
  readonly ignored: Readonly<Record<string, number>>;
}

export interface QueryReport {
  /** Corrected time; left out without an answer. */
  readonly time?: string;
  readonly offsetSeconds?: number;
  readonly boundSeconds?: number;
  readonly delaySeconds?: number;
  readonly stratum?: number;
  readonly reference?: string;
  readonly leap?: string;
  /** Why there is no answer. */
  readonly error?: string;
  readonly servers: readonly ServerReport[];
}

/** @param localUnixNs the local wall clock now, to which the offset is added */
export function makeReport(answer: Answer, localUnixNs: bigint): QueryReport {
  const servers = answer.servers.map((server) => reportServer(server, answer));
  const { selection } = answer;
  if (selection.kind !== 'selected') return { error: whyNot(answer), servers };
  const { offsetSeconds, boundSeconds, truechimers } = selection;
  const sample = truechimers[0]?.estimate.sample;
  return {
    time: isoTime(corrected(localUnixNs, offsetSeconds)),
    offsetSeconds,
    boundSeconds,
    ...(sample && {
      delaySeconds: sample.delaySeconds,
      stratum: sample.stratum,
      reference: formatReferenceId(sample.referenceId, sample.stratum),
      leap: leapWords[sample.leap] ?? 'none',
    }),
    servers,
  };
}

export function corrected(localUnixNs: bigint, offsetSeconds: number): bigint {
  // Whole seconds apart from the rest: an offset of decades has no nanoseconds left in a double.
  const whole = Math.trunc(offsetSeconds);
  return localUnixNs + BigInt(whole) * 1_000_000_000n + BigInt(Math.round((offsetSeconds - whole) * 1e9));
}

/** A sentence on why a query has no answer. */
export function whyNot({ selection, servers }: Answer): string {
  if (selection.kind === 'no-majority') {
    const count = selection.candidates.length;
    return `no majority: of ${count} servers that answered, no ${Math.floor(count / 2) + 1} agree on the time`;
  }
  const verdicts = servers.map(
    ({ name, failure }) => `${name} ${failure ? verdictWords(verdictOf(failure)) : 'not asked'}`,
  );
  return `no server gave the time: ${verdicts.join('; ')}`;
}

function reportServer(server: ServerResult, { selection }: Answer): ServerReport {
  const { name, remote, estimate, failure, ignored } = server;
  const about = {
    server: name,
    address: remote && formatEndpoint(remote.address, remote.port),
    ignored: Object.fromEntries(
      Object.entries(Object.groupBy(ignored, (reason) => reason)).map(([reason, all]) => [reason, all.length]),
    ),
  };
  if (estimate === undefined) {
    const verdict = failure && verdictOf(failure);
    return {
      ...about,
      verdict: verdict ? verdictWords(verdict) : 'not asked',
      detail: verdict?.detail ?? '',
      offsetSeconds: undefined,
      boundSeconds: undefined,
      delaySeconds: undefined,
      jitterSeconds: undefined,
      stratum: undefined,
      reference: undefined,
    };
  }
  const { sample, offsetSeconds, boundSeconds, jitterSeconds } = estimate;
  const true_ = selection.kind === 'selected' && selection.truechimers.some((one) => one.name === name);
  const verdict = true_ ? 'accepted' : selection.kind === 'selected' ? 'falseticker' : 'no majority';
  return {
    ...about,
    verdict,
    // A server that kissed us after some samples is accepted, and still wants to be asked less.
    detail: failure ? verdictWords(verdictOf(failure)) : '',
    offsetSeconds,
    boundSeconds,
    delaySeconds: sample.delaySeconds,
    jitterSeconds,
    stratum: sample.stratum,
    reference: formatReferenceId(sample.referenceId, sample.stratum),
  };
}

/** The ctime line, what it is worth, and the table. Without an answer the table alone. */
export function describeReport(report: QueryReport, localUnixNs: bigint): string {
  const { offsetSeconds, boundSeconds, delaySeconds, stratum, reference, leap } = report;
  const heading =
    offsetSeconds === undefined || boundSeconds === undefined
      ? []
      : [
          ctime(corrected(localUnixNs, offsetSeconds)),
          `offset ${formatOffset(offsetSeconds)} +- ${formatSeconds(boundSeconds)}`,
          `delay ${formatSeconds(delaySeconds ?? 0)}, stratum ${stratum}, reference ${reference}${leap === 'none' ? '' : `, leap second: ${leap}`}`,
          '',
        ];
  const seconds = (value: number | undefined, format: (value: number) => string): string =>
    value === undefined ? '-' : format(value);
  const table = formatTable(
    ['server', 'address', 'verdict', 'offset', 'bound', 'delay', 'stratum', 'reference', ''],
    report.servers.map((row) => [
      row.server,
      row.address ?? '-',
      row.verdict,
      seconds(row.offsetSeconds, formatOffset),
      seconds(row.boundSeconds, formatSeconds),
      seconds(row.delaySeconds, formatSeconds),
      row.stratum === undefined ? '-' : String(row.stratum),
      row.reference ?? '-',
      [row.detail, ...Object.entries(row.ignored).map(([reason, times]) => `ignored ${times} ${reason}`)]
        .filter((part) => part !== '')
        .join('; '),
    ]),
  );
  return `${[...heading, table].join('\n')}`;
}
