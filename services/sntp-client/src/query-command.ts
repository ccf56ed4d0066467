/** `sntp-client query`: the time, and how sure we are. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { reportProblems } from '@small-servers/shared/cli/program';
import { showProgress } from '@small-servers/shared/client/progress';
import { systemClock } from '@small-servers/shared/clock/clock';
import { formatOffset, formatSeconds } from '@small-servers/shared/clock/display';
import { type Problem, quote } from '@small-servers/shared/config/problems';
import { AppError, exitCodes } from '@small-servers/shared/errors';
import { readConfigured } from './configured.ts';
import { systemEnvironment, trustedCertificates } from './environment.ts';
import { ServerProbe } from './probe.ts';
import { query } from './query.ts';
import { describeReport, makeReport } from './query-report.ts';
import { settings } from './query-settings.ts';
import { formatServerName, parseServerName, SERVER_FORMS, type ServerName } from './server-name.ts';
import { policyOf } from './settings.ts';

/** Addresses of one name that are tried: two of each family. */
const MAX_ADDRESSES = 4;

export const queryCommand = clientCommand({
  name: 'query',
  describe: 'ask servers, print the time and how sure it is',
  operands: ['[SERVER...]'],
  settings,
  examples: [
    ['sntp-client query', 'the configured servers, with NTS by default'],
    ['sntp-client query pool.ntp.org --max-offset 50ms', 'a check for scripts'],
    ['sntp-client query nts://time.cloudflare.com ntp://[::1]:11123', 'servers of two kinds'],
  ],
  epilogue:
    `SERVER is ${SERVER_FORMS}. Without one those are asked that the daemon is configured with.\n\n` +
    'Exit codes: 0 the time is known, 1 no server gave it or no majority agrees, 2 --max-offset was missed, 78 bad usage.',
  parseOperands: (texts) => texts,
  run: async ({ config, operands: texts, json, signal, print, terminal }) => {
    const { names, problems } = await serversToAsk(texts, config.nts);
    if (problems.length > 0) return reportProblems('sntp-client', problems);
    const ca = await trustedCertificates(config.ntsCa);
    const environment = systemEnvironment(config.timestamps);
    const { timeoutMs, intervalMs, samples } = config;
    const options = { timeoutMs, burstIntervalMs: intervalMs, policy: policyOf(config), ca };
    const asked = names.map((name) => ({
      name: formatServerName(name),
      prober: new ServerProbe(name, environment, options),
    }));

    let outcomes = 0;
    const expected = asked.length * samples;
    const wipe = showProgress({
      terminal,
      fraction: () => outcomes / expected,
      label: () => `${outcomes} of ${expected} replies from ${asked.length} servers`,
    });
    const onEvent = (): void => {
      outcomes += 1;
    };
    const answer = await query(asked, { samples, attempts: MAX_ADDRESSES, signal, onEvent }).finally(wipe);

    const localUnixNs = systemClock.wallNs();
    const report = makeReport(answer, localUnixNs);
    const offsetMs = Math.abs(report.offsetSeconds ?? 0) * 1000;
    const missed = config.maxOffsetMs > 0 && offsetMs > config.maxOffsetMs;
    print(json ? `${JSON.stringify({ ...report, missed })}\n` : describeReport(report, localUnixNs));
    if (report.error !== undefined) {
      throw new AppError(answer.selection.kind === 'no-majority' ? 'NO_MAJORITY' : 'NO_TIME', report.error);
    }
    if (!missed) return exitCodes.success;
    if (!json)
      print(
        `missed --max-offset ${formatSeconds(config.maxOffsetMs / 1000)}: it is ${formatOffset(report.offsetSeconds ?? 0)}\n`,
      );
    return exitCodes.limitMissed;
  },
});

async function serversToAsk(
  texts: readonly string[],
  nts: boolean,
): Promise<{ names: readonly ServerName[]; problems: readonly Problem[] }> {
  if (texts.length === 0) {
    const { config, problems } = await readConfigured();
    const plain = nts ? config.servers.filter(({ scheme }) => scheme === 'ntp') : [];
    return {
      names: config.servers,
      problems: [...problems, ...plain.map((name) => plainProblem(formatServerName(name), 'configuration'))],
    };
  }
  const problems: Problem[] = [];
  const names = texts.flatMap((text) => {
    const name = parseServerName(text, nts ? 'nts' : 'ntp');
    if (name === undefined)
      problems.push({
        subject: 'SERVER',
        origin: 'command line',
        what: `${quote(text)} is not allowed`,
        expected: `expected ${SERVER_FORMS}`,
      });
    else if (nts && name.scheme === 'ntp') problems.push(plainProblem(text, 'command line'));
    return name ?? [];
  });
  return { names, problems };
}

/** --nts promises that nothing is asked without it. */
function plainProblem(text: string, origin: string): Problem {
  return {
    subject: 'SERVER',
    origin,
    what: `${quote(text)} is not asked with NTS`,
    expected: 'name it nts://HOST, or leave --nts out',
  };
}
