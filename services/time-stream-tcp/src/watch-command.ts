/** `time-stream-tcp watch`: the command around the watcher, and the words and exit code for what it says. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { systemClock } from '@small-servers/shared/clock/clock';
import { formatOffset, formatSeconds } from '@small-servers/shared/clock/display';
import { systemTimers } from '@small-servers/shared/clock/timers';
import { endpointProblem, formatHostPort, parseEndpoint } from '@small-servers/shared/config/endpoint';
import { formatDurationMs } from '@small-servers/shared/config/units';
import { exitCodes } from '@small-servers/shared/errors';
import { connectLines } from './line-connection.ts';
import { SteadyClock } from './steady-clock.ts';
import { settings } from './watch-settings.ts';
import { Watcher } from './watcher.ts';

export const watch = clientCommand({
  name: 'watch',
  describe: "print a server's time, with the offset to the local clock",
  operands: ['HOST:PORT'],
  settings,
  examples: [
    ['time-stream-tcp watch 127.0.0.1:7037', 'until Ctrl-C'],
    ['time-stream-tcp watch [::1]:7037 --count 10 --max-offset 50ms', 'a check for scripts'],
  ],
  epilogue:
    'The offset is what must be added to the local clock to make it agree; half the round trip bounds its error.\n\n' +
    'Exit codes: 0 it was watched, 1 the server failed, 2 --max-offset was missed, 78 bad usage.',
  parseOperands: ([target], problems) => {
    const endpoint = parseEndpoint(target ?? '');
    if (endpoint === undefined && target !== undefined) problems.push(endpointProblem(target));
    return endpoint ?? { host: '', port: 0 };
  },
  run: async ({ config, operands: endpoint, json, signal, print }) => {
    const { maxOffsetMs, timeoutMs } = config;
    const target = formatHostPort(endpoint);
    let worst = 0;
    const watcher = new Watcher({
      ...config,
      target,
      clock: new SteadyClock(systemClock),
      timers: systemTimers,
      signal,
      connect: (events) => connectLines(endpoint, timeoutMs, events, signal),
      onLine: ({ time, seq, ...figures }) => {
        const { offsetMs, boundMs, roundTripMs } = figures;
        worst = Math.max(worst, Math.abs(offsetMs));
        const rounded = { offsetMs: round(offsetMs), boundMs: round(boundMs), roundTripMs: round(roundTripMs) };
        const bound = formatSeconds(boundMs / 1000);
        print(
          json
            ? `${JSON.stringify({ target, time, seq, ...rounded })}\n`
            : `${time}  offset ${formatOffset(offsetMs / 1000)} +- ${bound}\n`,
        );
      },
      onStep: (stepMs) =>
        print(
          json ? `${JSON.stringify({ target, stepMs })}\n` : `its clock was set by ${formatOffset(stepMs / 1000)}\n`,
        ),
    });
    await watcher.run();
    if (maxOffsetMs === 0 || worst <= maxOffsetMs) return exitCodes.success;
    if (!json) print(`missed --max-offset ${formatDurationMs(maxOffsetMs)}: it was ${formatSeconds(worst / 1000)}\n`);
    return exitCodes.limitMissed;
  },
});

/** To the microsecond. */
const round = (ms: number): number => Math.round(ms * 1000) / 1000;
