/**
 * How well clients tell the time, where the true offset is known to be 0: a chronyd on this machine gives
 * this machine's clock. Then what they believe that they should not, how long a query takes, and what a
 * thousand servers cost.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defaultPolicy } from '../../../services/sntp-client/src/acceptance.ts';
import type { Stamping } from '../../../services/sntp-client/src/channel.ts';
import { systemEnvironment } from '../../../services/sntp-client/src/environment.ts';
import { ServerProbe } from '../../../services/sntp-client/src/probe.ts';
import { boundOf, type Sample } from '../../../services/sntp-client/src/sample.ts';
import { nodePath, repository } from '../../support/daemon.ts';
import { FakeNtpServer } from '../../support/fake-ntp-server.ts';
import { hostileReplies } from '../../support/hostile-replies.ts';
import { findProgram } from '../../support/programs.ts';
import { startChrony } from '../../support/time-servers.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import type { BenchOptions } from '../support/options.ts';
import { renderTable } from '../support/table.ts';
import { packages } from './peers.ts';

const execFileAsync = promisify(execFile);
const CLIENT = `${repository}services/sntp-client/src/bin.js`;

interface Reading {
  readonly errorUs: number;
  /** What the client says the error can be at most; left out by clients that say nothing. */
  readonly boundUs?: number;
}

type Asker = (port: number) => Promise<readonly Reading[]>;

const reading = (sample: Sample): Reading => ({
  errorUs: Math.abs(sample.offsetSeconds) * 1e6,
  boundUs: boundOf(sample) * 1e6,
});

/** Samples of one burst within this process, which is warm by then. */
async function burst(port: number, stamping: Stamping, samples: number): Promise<readonly Sample[]> {
  const found: Sample[] = [];
  const options = { timeoutMs: 1_000, burstIntervalMs: 2, policy: defaultPolicy };
  const probe = new ServerProbe({ scheme: 'ntp', host: '127.0.0.1', port }, systemEnvironment(stamping), options);
  await probe.run({
    samples,
    attempts: 1,
    signal: new AbortController().signal,
    onEvent: ({ outcome }) => {
      if (outcome.kind === 'sample') found.push(outcome.sample);
    },
  });
  return found;
}

const single =
  (stamping: Stamping): Asker =>
  async (port) =>
    (await burst(port, stamping, 8)).map(reading);

const bestOfEight =
  (stamping: Stamping): Asker =>
  async (port) => {
    const [best] = (await burst(port, stamping, 8)).toSorted((a, b) => a.delaySeconds - b.delaySeconds);
    return best === undefined ? [] : [reading(best)];
  };

const freshQuery: Asker = async (port) => {
  const args = ['query', `127.0.0.1:${port}`, '--samples', '4', '--interval', '5ms', '--json'];
  const { stdout } = await execFileAsync(nodePath, [CLIENT, ...args]);
  const { offsetSeconds, boundSeconds } = JSON.parse(stdout) as { offsetSeconds: number; boundSeconds: number };
  return [{ errorUs: Math.abs(offsetSeconds) * 1e6, boundUs: boundSeconds * 1e6 }];
};

const chronydQuery: Asker = async (port) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-chronyd-'));
  const server = `server 127.0.0.1 port ${port} iburst maxsamples 1`;
  const settings = [server, `pidfile ${folder}/pid`, 'cmdport 0', 'bindcmdaddress /'];
  const args = ['-4', '-Q', '-t', '3', '-U', '-u', userInfo().username, '-f', '/dev/null', ...settings];
  try {
    const { stdout, stderr } = await execFileAsync(findProgram('chronyd') ?? 'chronyd', args);
    const seconds = /wrong by (-?[\d.]+) seconds/.exec(stdout + stderr)?.[1];
    return seconds === undefined ? [] : [{ errorUs: Math.abs(Number(seconds)) * 1e6 }];
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** ntpdig asks port 123 and no other; here the resolver gives it the port of our server in its place. */
const ntpdig: Asker = async (port) => {
  const script = `import runpy, socket, sys
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, service, *rest: real(host, ${port} if service == 123 else service, *rest)
sys.argv = ["ntpdig", "-j", "-4", "127.0.0.1"]
runpy.run_path(${JSON.stringify(findProgram('ntpdig') ?? '')}, run_name="__main__")`;
  // The distribution's own Python, which has the modules of its package.
  const { stdout } = await execFileAsync('/usr/bin/python3', ['-c', script]);
  const { offset, precision } = JSON.parse(stdout) as { offset: number; precision: number };
  return [{ errorUs: Math.abs(offset) * 1e6, boundUs: precision * 1e6 }];
};

interface Contestant {
  readonly name: string;
  readonly ask: Asker;
  /** How often it is asked in a round. */
  readonly turns: number;
  readonly needs?: string;
}

const contestants: readonly Contestant[] = [
  { name: 'ours, kernel stamps, one sample', ask: single('kernel'), turns: 40 },
  { name: 'ours, kernel stamps, best of 8', ask: bestOfEight('kernel'), turns: 40 },
  { name: 'ours, user stamps, one sample', ask: single('user'), turns: 40 },
  { name: 'ours, user stamps, best of 8', ask: bestOfEight('user'), turns: 40 },
  { name: 'ours, fresh process, 4 samples', ask: freshQuery, turns: 4 },
  { name: 'chronyd -Q', ask: chronydQuery, turns: 2, needs: 'chronyd' },
  { name: 'ntpdig', ask: ntpdig, turns: 4, needs: 'ntpdig' },
  ...packages.map(({ name, ask }) => ({
    name,
    turns: 40,
    ask: async (port: number) => [{ errorUs: Math.abs(await ask(port)) * 1000 }],
  })),
];

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const microseconds = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

async function accuracy(port: number, rounds: number): Promise<string> {
  const readings = new Map<string, Reading[]>(contestants.map(({ name }) => [name, []]));
  const missing = new Map<string, string>();
  // Nobody is the first on a cold machine: one turn of each is thrown away.
  for (let round = -1; round < rounds; round++) {
    for (const { name, ask, turns, needs } of contestants) {
      if (needs !== undefined && findProgram(needs) === undefined) {
        missing.set(name, `${needs} is not installed`);
        continue;
      }
      for (let turn = 0; turn < (round < 0 ? 1 : turns); turn++) {
        const taken = await ask(port).catch((error: Error) => {
          missing.set(name, error.message.split('\n')[0] ?? '');
          return [];
        });
        if (round >= 0) readings.get(name)?.push(...taken);
      }
    }
  }
  const rows = [...readings]
    .filter(([, taken]) => taken.length > 0)
    .map(([name, taken]) => {
      const errors = taken.map(({ errorUs }) => errorUs).sort((a, b) => a - b);
      const bounded = taken.filter(({ boundUs }) => boundUs !== undefined);
      const held = bounded.filter(({ errorUs, boundUs = 0 }) => errorUs <= boundUs).length;
      const contained = bounded.length === 0 ? 'says none' : `${((100 * held) / bounded.length).toFixed(1)}%`;
      const figures = [percentile(errors, 0.5), percentile(errors, 0.95), errors.at(-1) ?? Number.NaN];
      return [name, String(taken.length), ...figures.map(microseconds), contained];
    });
  const titles = ['client', 'readings', 'p50, us', 'p95, us', 'max, us', 'within its bound'];
  const columns = titles.map((title, index) => ({
    title,
    align: index === 0 ? ('left' as const) : ('right' as const),
  }));
  return renderTable(columns, rows, missing);
}

/** How many of the hostile replies each client takes for the time. */
async function hostility(): Promise<string> {
  const ours = async (port: number): Promise<boolean> => {
    const options = { timeoutMs: 300, burstIntervalMs: 1, policy: defaultPolicy };
    const probe = new ServerProbe({ scheme: 'ntp', host: '127.0.0.1', port }, systemEnvironment('kernel'), options);
    let accepted = false;
    const onEvent = ({ outcome }: { outcome: { kind: string } }): void => {
      accepted ||= outcome.kind === 'sample';
    };
    await probe.run({ samples: 1, attempts: 1, signal: new AbortController().signal, onEvent });
    return accepted;
  };
  const clients = [
    { name: 'ours', accepts: ours },
    ...packages.map(({ name, ask }) => ({ name, accepts: (port: number) => accepted(ask(port)) })),
  ];
  const rows: string[][] = [];
  for (const { name, accepts } of clients) {
    const believed: string[] = [];
    for (const [title, behave] of hostileReplies) {
      const server = await FakeNtpServer.start(behave);
      if (await accepts(server.port)) believed.push(title);
      server.close();
    }
    rows.push([name, `${believed.length} of ${hostileReplies.length}`]);
  }
  return renderTable(
    [
      { title: 'client', align: 'left' },
      { title: 'wrong replies believed', align: 'right' },
    ],
    rows,
  );
}

/** A package that gives a number believed what it got. One that never ends does not. */
async function accepted(asked: Promise<number>): Promise<boolean> {
  const given = asked.then(
    (milliseconds) => Number.isFinite(milliseconds),
    () => false,
  );
  return Promise.race([given, delay(600, false)]);
}

async function queryTime(port: number): Promise<string> {
  const burstMs = 3 * 50;
  const times: number[] = [];
  for (let run = 0; run < 10; run++) {
    const startMs = performance.now();
    await execFileAsync(nodePath, [CLIENT, 'query', `127.0.0.1:${port}`, '--interval', '50ms']);
    times.push(performance.now() - startMs - burstMs);
  }
  times.sort((a, b) => a - b);
  const [fastest, median, slowest] = [times[0], percentile(times, 0.5), times.at(-1)].map((ms) => Math.round(ms ?? 0));
  return `query of one server: its burst of ${burstMs} ms and ${median} ms more (${fastest} to ${slowest}, 10 processes); target 150 ms\n`;
}

const SERVERS = 1_000;
const WATCH_SECONDS = 40;

async function thousandServers(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-sntp-'));
  const many = spawn(nodePath, [`${repository}test/bench/sntp-client/many-servers.ts`, String(SERVERS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface({ input: many.stdout }), 'line')) as [string];
    const servers = (JSON.parse(line) as readonly number[]).map((port) => `ntp://127.0.0.1:${port}`);
    await writeFile(
      join(folder, 'config.json'),
      JSON.stringify({ 'sntp-client': { servers, 'min-poll': '16s', 'max-poll': '16s' } }),
    );
    const args = [
      'watch',
      '--config',
      join(folder, 'config.json'),
      '--state-file',
      join(folder, 'state.json'),
      '--admin-socket',
      'off',
    ];
    const daemon = spawn(nodePath, [CLIENT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let polls = 0;
    createInterface({ input: daemon.stdout }).on('line', (text) => {
      if (text.includes('"event":"poll"')) polls += 1;
    });
    await delay(WATCH_SECONDS * 1000);
    const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
    const fields = readFileSync(`/proc/${daemon.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / 100;
    const rssMib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
    const perPoll = ((cpuSeconds / polls) * 1e3).toFixed(2);
    return `${SERVERS} servers in one process: ${polls} exchanges in ${WATCH_SECONDS} s, ${rssMib.toFixed(0)} MiB resident, ${cpuSeconds.toFixed(1)} s of processor time (start included), ${perPoll} ms an exchange\n`;
  } finally {
    many.stdin.end();
    await rm(folder, { recursive: true, force: true });
  }
}

export async function run({ rounds, json }: BenchOptions): Promise<void> {
  const print = (text: string): void => void (json || process.stdout.write(text));
  print(`${describeMachine(readMachine(new Date()))}\n\n`);
  await using server = await startChrony();
  const parts = {
    accuracy: await accuracy(server.port, rounds),
    queryTime: await queryTime(server.port),
    hostility: await hostility(),
    thousandServers: await thousandServers(),
  };
  if (json) process.stdout.write(`${JSON.stringify(parts)}\n`);
  else print(Object.values(parts).join('\n'));
}
