/** The fleet under a real pm2, as `pnpm start` and its siblings run it. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon, repository } from './support/daemon.ts';
import { serviceNames, TestFleet } from './support/fleet.ts';

const services = await serviceNames();

/** Each test is a dozen processes; a machine that is busy with others takes its time for them. */
const PATIENCE_MS = 180_000;

/** Sends bytes, ends its side, and reads to the end: netcat with -N. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(bytes);
  return text(socket);
}

const pidOf = (table: string, service: string): number =>
  Number(new RegExp(`^${service} .* (\\d+) +\\S+ ?\\S* +\\d+$`, 'm').exec(table)?.[1]);

/** What pm2 does with a process: the options of ecosystem.config.js as it has them, by service. */
async function supervision(fleet: TestFleet): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await fleet.runFile('node_modules/pm2/bin/pm2', ['--silent', 'jlist'], {
    PM2_HOME: join(fleet.state, 'run', 'pm2'),
  });
  const listed = JSON.parse(stdout) as { name: string; pm2_env: Record<string, unknown> }[];
  return Object.fromEntries(
    listed.map(({ name, pm2_env: env }) => [
      name,
      {
        script: env.pm_exec_path,
        cwd: env.pm_cwd,
        args: env.args,
        interpreter: env.exec_interpreter,
        mode: env.exec_mode,
        logs: [env.pm_out_log_path, env.pm_err_log_path, env.merge_logs],
        killTimeoutMs: Number(env.kill_timeout),
        stopExitCodes: [env.stop_exit_codes].flat().map(Number),
        restarts: env.autorestart,
        delays: [env.restart_delay, env.exp_backoff_restart_delay],
        extras: [env.pmx, env.vizion, env.time, env.log_type],
        compileCache: env.NODE_COMPILE_CACHE,
      },
    ]),
  );
}

/** The pid behind an admin socket. */
async function pidBehind(socketPath: string): Promise<unknown> {
  const [response] = await once(request({ socketPath, path: '/readyz' }).end(), 'response');
  return JSON.parse(await text(response)).pid;
}

describe('a day of the fleet', { timeout: PATIENCE_MS }, () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await TestFleet.create();
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  test('before a start: nothing runs, asking starts nothing, and each command says what to do', async () => {
    expect(await fleet.run(['stop'])).toEqual({ code: 0, stdout: 'Nothing was running.\n', stderr: '' });
    const { code, stderr } = await fleet.run(['reload']);
    expect([code, stderr]).toEqual([1, 'Nothing is running; start it with: npx pnpm@12 start\n']);
    const status = await fleet.run(['status']);
    expect(status.code).toBe(1);
    for (const service of services) expect(status.stderr).toContain(`${service}: not started\n`);
    const top = await fleet.run(['top']);
    expect([top.code, top.stdout.match(/^[a-z-]+ {2}not started$/gm)?.length]).toEqual([1, services.length]);
    expect(await fleet.processes()).toEqual(new Map());
  });

  test('preflight before a start: everything is there and every port is free', async () => {
    const { code, stdout, stderr } = await fleet.run(['preflight']);
    expect([code, stderr]).toEqual([0, '']);
    for (const what of ['runtime', 'folder', 'fd limit', 'clock', 'pm2'])
      expect(stdout).toMatch(new RegExp(`^ok +${what} `, 'm'));
    expect(stdout).toContain(`port ${fleet.port('echo-tcp')} is free`);
  });

  test('start brings every service up, proves it, and prints what to paste', async () => {
    const { code, stdout, stderr } = await fleet.run(['start']);
    expect([code, stderr]).toEqual([0, '']);
    for (const service of services) {
      // Who listens nowhere has no round trip before it has asked somebody.
      const roundTrip = Number.isNaN(fleet.port(service)) ? '-' : '\\d';
      expect(stdout).toMatch(new RegExp(`^${service} .* ok  +${roundTrip}`, 'm'));
    }
    const port = fleet.port('echo-tcp');
    expect(stdout).toMatch(
      new RegExp(`^echo-tcp +127\\.0\\.0\\.1:${port}/tcp +ok +\\d+\\.\\d\\d ms +nc 127\\.0\\.0\\.1 ${port}$`, 'm'),
    );
    expect(stdout).toContain(`Logs: ${fleet.state}/logs/<service>.log   Stop: npx pnpm@12 stop`);
    expect(await exchange(port, 'hello\n')).toBe('hello\n');
  });

  test('the log file has the records, one JSON object a line', async () => {
    expect((await fleet.records('echo-tcp'))[0]).toMatchObject({
      event: 'listening',
      port: fleet.port('echo-tcp'),
      service: 'echo-tcp',
    });
    // Records of a busy moment are collected for some milliseconds, so it may be there a moment after the last byte.
    const closed = { event: 'connection-closed', bytesIn: 6, bytesOut: 6, reason: 'peer-closed' };
    await expect
      .poll(() => fleet.records('echo-tcp'), { timeout: 10_000 })
      .toContainEqual(expect.objectContaining(closed));
  });

  test('starting twice is harmless: the same processes, and it says so', async () => {
    const before = await fleet.processes();
    const { code, stdout, stderr } = await fleet.run(['start']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Everything was running already. ');
    expect(await fleet.processes()).toEqual(before);
  });

  test('a start with other settings says which of them the running services do not have', async () => {
    const config = join(fleet.state, 'broken.json');
    await writeFile(config, '{ "udp-echo": { "port": "abc" } }');
    const env = { ECHO_TCP_GREETING: 'Hello, Client.', SMALL_SERVERS_CONFIG: config };
    const { code, stderr } = await fleet.run(['start'], env);
    expect([code, stderr]).toEqual([
      0,
      '\nNot applied to what was running already:\n' +
        'echo-tcp: greeting is none, not Hello, Client. (variable ECHO_TCP_GREETING)\n' +
        `udp-echo: port: "abc" is not allowed (${config}:1:25); expected a port from 0 to 65535 (0 takes a free one)\n` +
        'To apply what is right: npx pnpm@12 reload\n',
    ]);
  });

  test('with another PM2_HOME it is said that the services are served, and by which processes', async () => {
    const before = await fleet.processes();
    const env = { PM2_HOME: join(fleet.state, 'another-pm2') };
    const status = await fleet.run(['status'], env);
    const stop = await fleet.run(['stop'], env);
    const reload = await fleet.run(['reload'], env);
    expect([status.code, stop.code, reload.code]).toEqual([1, 1, 1]);
    expect([stop.stdout, reload.stdout]).toEqual(['Nothing was stopped.\n', '']);
    for (const { stderr } of [status, stop, reload]) {
      const told = [...stderr.matchAll(/([a-z-]+) \(pid (\d+)\)/g)];
      expect(told.map(([, name]) => name)).toEqual(services);
      for (const [, , pid] of told) expect(before.has(Number(pid))).toBe(true);
    }
    expect(await fleet.processes()).toEqual(before);
  });

  test('preflight while it runs: its own ports are no obstacle', async () => {
    const { code, stdout } = await fleet.run(['preflight']);
    expect(code).toBe(0);
    expect(stdout).toContain(`has port ${fleet.port('echo-tcp')}`);
    expect(stdout).toMatch(/^ok +pm2 +running as process \d+ with \d+ online/m);
  });

  test('a killed service comes back by itself, and status counts it', async () => {
    const before = await fleet.run(['status']);
    expect(before.code).toBe(0);
    const pid = pidOf(before.stdout, 'echo-tcp');
    process.kill(pid, 'SIGKILL');
    let after = await fleet.run(['status']);
    for (let tries = 0; after.code !== 0 && tries < 10; tries++) after = await fleet.run(['status']);
    expect(after.stdout).toMatch(/^echo-tcp .* ok .* 1$/m);
    expect(pidOf(after.stdout, 'echo-tcp')).not.toBe(pid);
  });

  test('reload takes the environment of now, variables that are gone included, and keeps every option of pm2', async () => {
    const options = await supervision(fleet);
    expect(Object.keys(options).toSorted()).toEqual(services.toSorted());
    const changed = await fleet.run(['reload'], { ECHO_TCP_GREETING: 'Hello, Client.' });
    expect([changed.code, changed.stderr]).toEqual([0, '']);
    expect(await exchange(fleet.port('echo-tcp'), 'hi')).toBe('Hello, Client.\r\nhi');
    expect((await fleet.run(['reload'])).code).toBe(0);
    expect(await exchange(fleet.port('echo-tcp'), 'hi')).toBe('hi');
    expect(await supervision(fleet)).toEqual(options);
  });

  test('reload with a wrong configuration says every problem, and what ran runs on', async () => {
    const before = await fleet.run(['status']);
    const { code, stderr } = await fleet.run(['reload'], { ECHO_TCP_BACKLOG: 'abc', ECHO_TCP_IDLE_TIMEOUT: '30' });
    expect(code).toBe(1);
    expect(stderr).toContain('echo-tcp: backlog: "abc" is not allowed (variable ECHO_TCP_BACKLOG)');
    expect(stderr).toContain('echo-tcp: idle-timeout: "30" is not allowed (variable ECHO_TCP_IDLE_TIMEOUT)');
    expect(stderr).toContain('the old one serves on');
    const after = await fleet.run(['status']);
    expect([after.code, pidOf(after.stdout, 'echo-tcp')]).toEqual([0, pidOf(before.stdout, 'echo-tcp')]);
  });

  test('stop drains, ends everything and pm2 with it, and leaves no socket', async () => {
    const socket = connect(fleet.port('echo-tcp'), '127.0.0.1');
    socket.write('still here');
    await once(socket, 'data');
    const ended = once(socket, 'end');
    const { code, stdout, stderr } = await fleet.run(['stop']);
    expect([code, stdout, stderr]).toEqual([0, `Stopped ${services.join(', ')} and pm2.\n`, '']);
    await ended;
    socket.destroy();
    expect(await fleet.processes()).toEqual(new Map());
    const [closed, stopped] = (await fleet.records('echo-tcp')).slice(-2);
    expect([closed?.reason, stopped?.event]).toEqual(['drained', 'stopped']);
    expect((await readdir(join(fleet.state, 'run'))).filter((name) => name.endsWith('.sock'))).toEqual([]);
  });
});

describe('what keeps a service from coming up', { concurrent: true, timeout: PATIENCE_MS }, () => {
  test('a port that is taken is named with its holder; nothing is left looping; freeing it is all it takes', async ({
    expect,
  }) => {
    await using fleet = await TestFleet.create();
    const holder = createServer().listen(fleet.port('echo-tcp'), '127.0.0.1');
    await once(holder, 'listening');
    try {
      const preflight = await fleet.run(['preflight']);
      expect(preflight.code).toBe(1);
      expect(preflight.stdout).toMatch(new RegExp(`^FAIL +echo-tcp .* is in use by .*\\(pid ${process.pid}\\)`, 'm'));

      const { code, stderr } = await fleet.run(['start']);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        new RegExp(
          `^echo-tcp: 127\\.0\\.0\\.1:${fleet.port('echo-tcp')}/tcp is in use by .*\\(pid ${process.pid}\\)` +
            '; stop it or choose another port with ECHO_TCP_PORT=NUMBER, ' +
            'or "port" in the section "echo-tcp" of the configuration file\nNothing was started\\.\n$',
        ),
      );
      expect(await fleet.processes()).toEqual(new Map());
    } finally {
      holder.close();
      await once(holder, 'close');
    }
    const { code, stderr } = await fleet.run(['start']);
    expect([code, stderr]).toEqual([0, '']);
    expect((await fleet.run(['stop'])).code).toBe(0);
  });

  test('a wrong configuration: start shows every problem, pm2 ran it once, and a right one starts', async ({
    expect,
  }) => {
    await using fleet = await TestFleet.create();
    const config = join(fleet.state, 'servers.json');
    await writeFile(config, '{ "echo-tcp": { "idle-timout": "5m", "backlog": 0 } }');
    const env = { SMALL_SERVERS_CONFIG: config };

    const { code, stderr } = await fleet.run(['start'], { ...env, ECHO_TCP_IDLE_TIMEOUT: '30' });
    expect(code).toBe(1);
    expect(stderr).toContain('idle-timeout: "30" is not allowed (variable ECHO_TCP_IDLE_TIMEOUT)');
    expect(stderr).toContain(`"idle-timout": is an unknown key (${config}:1:17); did you mean idle-timeout?`);
    expect(stderr).toContain(`backlog: "0" is not allowed (${config}:1:49)`);
    const status = await fleet.run(['status'], env);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/^echo-tcp +- +stopped +- +- +- +0$/m);
    const log = await readFile(join(fleet.state, 'logs', 'echo-tcp.log'), 'utf8');
    expect(log.split('idle-timout')).toHaveLength(2);

    await writeFile(config, '{ "echo-tcp": { "greeting": "from the file" } }');
    expect((await fleet.run(['start'], env)).code).toBe(0);
    expect(await exchange(fleet.port('echo-tcp'), '')).toBe('from the file\r\n');
    expect((await fleet.run(['stop'])).code).toBe(0);
    expect(await fleet.processes()).toEqual(new Map());
  });

  test('a server started by hand first: the fleet has the known admin name while it runs, and stop leaves it alone', async ({
    expect,
  }) => {
    await using fleet = await TestFleet.create();
    const socket = join(fleet.state, 'run', 'echo-tcp.sock');
    await using byHand = new Daemon('echo-tcp', ['serve', '--port', '0', '--admin-socket', socket]);
    await byHand.record('listening');
    while (!existsSync(socket)) await new Promise(setImmediate);

    expect((await fleet.run(['start'])).code).toBe(0);
    const status = await fleet.run(['status']);
    expect(status.code).toBe(0);
    const pid = pidOf(status.stdout, 'echo-tcp');
    expect(pid).not.toBe(byHand.pid);
    expect(await pidBehind(socket)).toBe(pid);
    expect(status.stderr).toContain(`echo-tcp (pid ${byHand.pid}): served without this pm2`);
    expect(status.stderr).not.toContain(`pid ${pid}`);
    expect((await fleet.run(['stop'])).code).toBe(0);
    expect(await pidBehind(socket)).toBe(byHand.pid);
    expect(await byHand.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('places', { concurrent: true, timeout: PATIENCE_MS }, () => {
  test('a pm2 that serves others too: stop takes what is ours and leaves theirs and pm2', async ({ expect }) => {
    await using fleet = await TestFleet.create();
    const env = { PM2_HOME: join(fleet.state, 'pm2') };
    const pm2 = (...args: string[]) => fleet.runFile('node_modules/pm2/bin/pm2', ['--silent', ...args], env);
    try {
      await pm2('start', '/bin/sleep', '--name', 'foreign', '--interpreter', 'none', '--', '1000');
      expect((await fleet.run(['start'], env)).code).toBe(0);
      const { code, stdout } = await fleet.run(['stop'], env);
      expect([code, stdout]).toEqual([
        0,
        `Stopped ${services.join(', ')}; pm2 stays for the processes that are not ours.\n`,
      ]);
      const left = [...(await fleet.processes()).values()];
      expect(left).toHaveLength(2);
      expect(left).toContainEqual('/bin/sleep 1000');
    } finally {
      await pm2('kill');
    }
  });

  test('a file server that shows nothing without a token is up, and it is said what was not looked at', async ({
    expect,
  }) => {
    const tokens = join(await mkdtemp(join(tmpdir(), 'tokens-')), 'tokens');
    await writeFile(tokens, `sha256:${createHash('sha256').update('open-sesame').digest('hex')}\n`, { mode: 0o600 });
    await using fleet = await TestFleet.create({ env: { FILE_SERVER_AUTH: 'all', FILE_SERVER_TOKEN_FILE: tokens } });
    const target = `127.0.0.1:${fleet.port('file-server')}`;
    const note =
      'file-server: it answers, and shows its files to nobody without a token; ' +
      `to see whether they can be read: file-server probe ${target} --token-file FILE\n`;
    const started = await fleet.run(['start']);
    expect([started.code, started.stderr]).toEqual([0, '']);
    expect(started.stdout).toMatch(/^file-server .* ok +\d/m);
    expect(started.stdout).toContain(note);
    const status = await fleet.run(['status']);
    expect([status.code, status.stdout.includes(note)]).toEqual([0, true]);
    const shown = await fleet.run(['status'], { SMALL_SERVERS_FILE_TOKEN: 'open-sesame' });
    expect([shown.code, shown.stdout.includes('token')]).toEqual([0, false]);
    await fleet.run(['stop']);
    await rm(dirname(tokens), { recursive: true });
  });

  test('a path too long for any socket below it: run/ is elsewhere, and everything works', async ({ expect }) => {
    await using fleet = await TestFleet.create({ below: 'a-long-name-of-a-folder/'.repeat(5) });
    const { stdout } = await fleet.run(['preflight']);
    const [runFolder = ''] = /\S*\/small-servers-\d+-[0-9a-f]+(?= can be written)/.exec(stdout) ?? [];
    try {
      expect(runFolder).not.toBe('');
      expect((await fleet.run(['start'])).code).toBe(0);
      expect((await fleet.run(['status'])).code).toBe(0);
      expect((await fleet.records('echo-tcp'))[0]).toMatchObject({ event: 'listening' });
      expect((await fleet.run(['stop'])).code).toBe(0);
      expect(await fleet.processes()).toEqual(new Map());
    } finally {
      if (runFolder !== '') await rm(runFolder, { recursive: true, force: true });
    }
  });
});

describe('wrong use', { concurrent: true, timeout: PATIENCE_MS }, () => {
  test.each([
    [['start', 'now'], 'fleet: "now": is not understood (command line); start takes no such argument\n'],
    [['status', '--jsn'], 'fleet: --jsn: is an unknown flag (command line); see --help\n'],
    [['strat'], 'fleet: "strat": is not understood (command line); did you mean start?\n'],
    [['stop', '--', 'echo-tcp'], 'fleet: "echo-tcp": is not understood (command line); stop takes no such argument\n'],
  ])('%j is told and does nothing', async (args, stderr) => {
    await using fleet = await TestFleet.create();
    expect(await fleet.run(args)).toEqual({ code: 78, stdout: '', stderr });
    // Compiled code is kept by every start (cli/compile-cache.js); nothing else was made.
    expect(await readdir(join(fleet.state, 'run'))).toEqual(['compile-cache']);
  });

  test('--help has every command of the fleet, and the root scripts are those', async ({ expect }) => {
    await using fleet = await TestFleet.create();
    const { code, stdout } = await fleet.run(['--help']);
    expect(code).toBe(0);
    const { scripts } = JSON.parse(await readFile(`${repository}package.json`, 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const [name, script] of Object.entries(scripts)) {
      if (script.startsWith('fleet '))
        expect([script, stdout]).toEqual([`fleet ${name}`, expect.stringContaining(`  fleet ${name} `)]);
    }
  });
});
