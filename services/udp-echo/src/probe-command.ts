/** `udp-echo probe`: the command around the probe, and the words and exit code for its report. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import {
  formatMissedLatency,
  formatRate,
  formatRoundTrips,
  type MissedLatencyLimit,
  missedLatencyLimits,
} from '@small-servers/shared/client/latency-limits';
import { showProgress } from '@small-servers/shared/client/progress';
import { endpointProblem, parseEndpoint } from '@small-servers/shared/config/endpoint';
import { formatSizeBytes } from '@small-servers/shared/config/units';
import { exitCodes } from '@small-servers/shared/errors';
import { createProbe, type ProbeReport } from './probe.ts';
import { type ProbeConfig, settings } from './probe-settings.ts';
import { type SweepReport, sweep } from './sweep.ts';

export const probe = clientCommand({
  name: 'probe',
  describe: 'measure loss, order and delay of datagrams to an echo server',
  operands: ['HOST:PORT'],
  settings,
  examples: [
    ['udp-echo probe 127.0.0.1:7007', '10 datagrams, one after another'],
    ['udp-echo probe [::1]:7007 --rate 1000 --duration 10s --max-loss 0.1% --max-p99 5ms', 'a check for scripts'],
    ['udp-echo probe 192.0.2.1:7007 --sweep', 'the largest datagram that gets through'],
  ],
  epilogue:
    'Datagrams are sent on a fixed schedule (an open loop): a late reply does not delay the next one. Every datagram ' +
    'is counted as received, late (back after --timeout) or lost; copies, changes of order and damage beside that.\n\n' +
    'Exit codes: 0 the server answers, 1 it does not or replies are damaged, 2 a --max-... limit was missed, ' +
    '78 bad usage.',
  parseOperands: ([target], problems) => {
    const endpoint = parseEndpoint(target ?? '');
    if (endpoint === undefined && target !== undefined) problems.push(endpointProblem(target));
    return endpoint ?? { host: '', port: 0 };
  },
  run: async ({ config, operands: endpoint, json, signal, print, terminal }) => {
    const write = (report: object, text: string): void => print(json ? `${JSON.stringify(report)}\n` : text);
    if (config.sweep) {
      let size = 0;
      const wipe = showProgress({ terminal, fraction: () => 0, label: () => `trying ${size} B` });
      const report = await sweep(endpoint, config, signal, (sizeBytes) => {
        size = sizeBytes;
      }).finally(wipe);
      write(report, describeSweep(report));
      return report.largestBytes === null ? exitCodes.failed : exitCodes.success;
    }
    const running = createProbe(endpoint, config, signal);
    const wipe = showProgress({
      terminal,
      fraction: () => running.sent / running.planned,
      label: () => `${running.sent} sent, ${running.returned} returned`,
    });
    const report = await running.run().finally(wipe);
    const missed = missedLimits(report, config);
    write({ ...report, missed }, describeReport(report, missed));
    if (report.received + report.late === 0 || report.corrupted > 0) return exitCodes.failed;
    return missed.length > 0 ? exitCodes.limitMissed : exitCodes.success;
  },
});

interface MissedLoss {
  readonly limit: 'max-loss';
  readonly limitPercent: number;
  readonly measuredPercent: number;
}

type MissedLimit = MissedLoss | MissedLatencyLimit;

function missedLimits({ lossPercent, roundTripMs }: ProbeReport, config: ProbeConfig): readonly MissedLimit[] {
  const { maxLoss } = config;
  const loss: readonly MissedLoss[] =
    maxLoss !== 'off' && lossPercent > maxLoss
      ? [{ limit: 'max-loss', limitPercent: maxLoss, measuredPercent: lossPercent }]
      : [];
  return [...loss, ...missedLatencyLimits(roundTripMs, config)];
}

function formatMissed(missed: MissedLimit): string {
  return missed.limit === 'max-loss' && 'limitPercent' in missed
    ? `--max-loss ${missed.limitPercent}%: it was ${missed.measuredPercent}%`
    : formatMissedLatency(missed as MissedLatencyLimit);
}

function describeReport(report: ProbeReport, missed: readonly MissedLimit[]): string {
  const { target, sizeBytes, sent, received, late, lost, durationMs, ratePerSecond, reorderExtent } = report;
  const { duplicated, reordered, corrupted, stray } = report;
  const extent = reordered === 0 ? '' : ` (by ${reorderExtent.max} at most, ${reorderExtent.mean} on average)`;
  const lines = [
    `${target}: ${sent} datagrams of ${formatSizeBytes(sizeBytes)} in ${durationMs / 1000} s`,
    `  received     ${received}; late ${late}, lost ${lost} (${report.lossPercent}% of what was sent)`,
    `  beside that  duplicated ${duplicated}, reordered ${reordered}${extent}, corrupted ${corrupted}, stray ${stray}`,
    `  rate         ${ratePerSecond} datagrams/s, ${formatRate(ratePerSecond * sizeBytes)} each way`,
    `  round trip   ${formatRoundTrips(report.roundTripMs)}, jitter ${report.jitterMs ?? '-'} ms`,
    `  schedule     sent at most ${report.maxSendLatenessMs} ms late`,
    ...missed.map((limit) => `  missed       ${formatMissed(limit)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function describeSweep({ target, largestBytes, packetBytes, tried }: SweepReport): string {
  if (largestBytes === null) return `${target}: no datagram of any size came back\n`;
  return `${target}: the largest datagram that returns has ${largestBytes} B, a packet of ${packetBytes} B (${tried} sizes tried)\n`;
}
