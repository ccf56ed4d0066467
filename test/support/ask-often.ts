/**
 * Asks a time server one request after the other and prints how each ended, as JSON. A program of its own,
 * so that it can run inside of another network namespace: `node ask-often.ts ADDRESS PORT COUNT TIMEOUT_MS`.
 */
import { defaultPolicy } from '../../services/sntp-client/src/acceptance.ts';
import { systemEnvironment } from '../../services/sntp-client/src/environment.ts';
import { ServerProbe } from '../../services/sntp-client/src/probe.ts';
import { verdictOf } from '../../services/sntp-client/src/verdict.ts';

const [host = '127.0.0.1', port, count, timeoutMs] = process.argv.slice(2);
const probe = new ServerProbe({ scheme: 'ntp', host, port: Number(port) }, systemEnvironment('kernel'), {
  timeoutMs: Number(timeoutMs),
  burstIntervalMs: 1,
  policy: defaultPolicy,
});
const { signal } = new AbortController();
const verdicts: unknown[] = [];
for (let index = 0; index < Number(count); index++) {
  await probe.run({ samples: 1, attempts: 1, signal, onEvent: ({ outcome }) => verdicts.push(verdictOf(outcome)) });
}
process.stdout.write(`${JSON.stringify(verdicts)}\n`);
