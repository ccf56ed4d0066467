/** `time-stream-tcp send`: the command around the sender, and the words and exit code for what it says. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { systemClock } from '@small-servers/shared/clock/clock';
import { systemTimers } from '@small-servers/shared/clock/timers';
import { endpointProblem, formatHostPort, parseEndpoint } from '@small-servers/shared/config/endpoint';
import { escapeBytes } from '@small-servers/shared/daemon/escape';
import { exitCodes } from '@small-servers/shared/errors';
import { connectLines } from './line-connection.ts';
import { settings } from './send-settings.ts';
import { type SendEvent, Sender, type SendReport } from './sender.ts';
import { SteadyClock } from './steady-clock.ts';

export const send = clientCommand({
  name: 'send',
  describe: 'send the local time on the second, without drift',
  operands: ['HOST:PORT'],
  settings,
  examples: [
    ['time-stream-tcp send 127.0.0.1:7037', 'once a second until Ctrl-C'],
    ['time-stream-tcp send [::1]:7037 --format plain', 'as the course does it'],
    ['time-stream-tcp send 127.0.0.1:7037 --count 60 --max-missed 0', 'a check for scripts'],
  ],
  epilogue:
    'A stamp that can not leave in time is missed and not sent late; its number is left out. A connection that is ' +
    'lost is made again, after ever longer waits of random length up to half a minute.\n\n' +
    'Exit codes: 0 it was sent, 1 nobody answered or the server refused stamps, 2 --max-missed was missed, 78 bad usage.',
  parseOperands: ([target], problems) => {
    const endpoint = parseEndpoint(target ?? '');
    if (endpoint === undefined && target !== undefined) problems.push(endpointProblem(target));
    return endpoint ?? { host: '', port: 0 };
  },
  run: async ({ config, operands: endpoint, json, signal, print }) => {
    const target = formatHostPort(endpoint);
    const sender = new Sender({
      ...config,
      clock: new SteadyClock(systemClock),
      timers: systemTimers,
      signal,
      random: Math.random,
      connect: (events) => connectLines(endpoint, config.timeoutMs, events, signal),
      onEvent: (event) => print(json ? `${JSON.stringify(event)}\n` : describeEvent(event)),
    });
    const report = await sender.run();
    const missedLimit = config.maxMissed !== 'off' && report.missed > config.maxMissed;
    const summary = { kind: 'summary', target, ...report, missedLimit };
    print(json ? `${JSON.stringify(summary)}\n` : describeReport(target, report));
    if (report.sent === 0 || report.refused > 0 || report.gaveUp !== undefined) return exitCodes.failed;
    return missedLimit ? exitCodes.limitMissed : exitCodes.success;
  },
});

/** What a server says is shown as it is, without what could move a terminal's cursor. */
const MAX_SHOWN_BYTES = 200;

function describeEvent(event: SendEvent): string {
  switch (event.kind) {
    case 'sent':
      return `${event.stamp}\n`;
    case 'refused':
      return `the server says: ${escapeBytes(Buffer.from(event.line, 'latin1'), MAX_SHOWN_BYTES)}\n`;
    case 'disconnected':
      return `connection lost: ${event.why}\n`;
    case 'waiting':
      return `attempt ${event.attempt} in ${(event.waitMs / 1000).toFixed(1)} s: ${event.why}\n`;
    case 'reconnected':
      return event.missed === 0
        ? 'connected again, nothing was missed\n'
        : `connected again, missed ${event.missed}: seq ${event.firstSeq} to ${event.lastSeq}\n`;
    case 'clock-stepped':
      return `the local clock was set by ${(event.stepMs / 1000).toFixed(3)} s\n`;
  }
}

function describeReport(target: string, report: SendReport): string {
  const { sent, missed, refused, reconnects, maxLatenessMs, gaveUp } = report;
  const again = reconnects === 0 ? '' : `; connected again ${reconnects === 1 ? 'once' : `${reconnects} times`}`;
  const lines = [
    `${target}: sent ${sent}, missed ${missed}, refused ${refused}${again}`,
    `  schedule   at most ${maxLatenessMs} ms late`,
    ...(gaveUp === undefined ? [] : [`  ended      ${gaveUp}`]),
  ];
  return `${lines.join('\n')}\n`;
}
