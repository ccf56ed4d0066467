/** `echo-tcp probe`: the command around the probe, and the words and exit code for its report. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import {
  formatMissedLatency,
  formatRate,
  formatRoundTrips,
  type MissedLatencyLimit,
  missedLatencyLimits,
} from '@small-servers/shared/client/latency-limits';
import { plannedMessages } from '@small-servers/shared/client/open-loop';
import { showProgress } from '@small-servers/shared/client/progress';
import { endpointProblem, parseEndpoint } from '@small-servers/shared/config/endpoint';
import { quote } from '@small-servers/shared/config/problems';
import { formatSizeBytes } from '@small-servers/shared/config/units';
import { exitCodes } from '@small-servers/shared/errors';
import { createProbe, type ProbeReport } from './probe.ts';
import { settings } from './probe-settings.ts';

export const probe = clientCommand({
  name: 'probe',
  describe: 'check that a server echoes faithfully, and how fast',
  operands: ['HOST:PORT'],
  settings,
  examples: [
    ['echo-tcp probe 127.0.0.1:7007', '10 messages, one after another'],
    ['echo-tcp probe [::1]:7007 --rate 1000 --duration 10s --max-p99 5ms', 'a check for scripts'],
  ],
  epilogue:
    'Messages are sent on a fixed schedule (an open loop): a late reply does not delay the next message. A probe ' +
    'that waits for each reply sends less just while the server is slow, and so hides the slowness it looks for.\n\n' +
    'Exit codes: 0 all came back in time, 1 the server failed, 2 a --max-... limit was missed, 78 bad usage.',
  parseOperands: ([target], problems) => {
    const endpoint = parseEndpoint(target ?? '');
    if (endpoint === undefined && target !== undefined) problems.push(endpointProblem(target));
    return endpoint ?? { host: '', port: 0 };
  },
  run: async ({ config, operands: endpoint, json, signal, print, terminal }) => {
    const running = createProbe(endpoint, config, signal);
    const planned = plannedMessages(config);
    const wipe = showProgress({
      terminal,
      fraction: () => running.sent / planned,
      label: () => `${running.sent} sent, ${running.returned} returned`,
    });
    const report = await running.run().finally(wipe);
    const missed = missedLatencyLimits(report.roundTripMs, config);
    print(json ? `${JSON.stringify({ ...report, missed })}\n` : describeReport(report, missed));
    if (report.unanswered > 0 || report.returned === 0) return exitCodes.failed;
    return missed.length > 0 ? exitCodes.limitMissed : exitCodes.success;
  },
});

function describeReport(report: ProbeReport, missed: readonly MissedLatencyLimit[]): string {
  const { target, connections, sizeBytes, sent, returned, unanswered, durationMs, ratePerSecond } = report;
  const over = connections === 1 ? '1 connection' : `${connections} connections`;
  const lines = [
    `${target}: ${sent} messages of ${formatSizeBytes(sizeBytes)} over ${over} in ${durationMs / 1000} s`,
    ...(report.greeting === undefined ? [] : [`  greeting     ${quote(report.greeting)}`]),
    `  returned     ${returned}, every byte right; unanswered ${unanswered}`,
    `  rate         ${ratePerSecond} messages/s, ${formatRate(ratePerSecond * sizeBytes)} each way`,
    `  round trip   ${formatRoundTrips(report.roundTripMs)}`,
    `  schedule     sent at most ${report.maxSendLatenessMs} ms late`,
    ...missed.map((limit) => `  missed       ${formatMissedLatency(limit)}`),
  ];
  return `${lines.join('\n')}\n`;
}
