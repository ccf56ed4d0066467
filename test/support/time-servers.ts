/** Real time servers on free ports of 127.0.0.1, which leave the clock of the machine alone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findProgram, type Need, program } from './programs.ts';

export const chrony: readonly Need[] = [program('chronyd')];

const libfaketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0] ?? '';
export const faketime: Need = { name: 'libfaketime', met: existsSync(libfaketime) };

export interface Certificate {
  readonly keyFile: string;
  readonly certificateFile: string;
}

/** A certificate for localhost and 127.0.0.1 that signs itself. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const keyFile = join(folder, 'key.pem');
  const certificateFile = join(folder, 'cert.pem');
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await promisify(execFile)('openssl', [...request, ...names, '-keyout', keyFile, '-out', certificateFile]);
  return { keyFile, certificateFile };
}

export interface ChronyOptions {
  /** False: it has nothing to take the time from, and says so. */
  readonly synchronised?: boolean;
  /** False: it serves nobody. */
  readonly allowed?: boolean;
  readonly certificate?: Certificate;
  /** libfaketime's: `+5s`, or `@2050-01-01 00:00:00`. */
  readonly faketime?: string;
}

export interface TimeServer {
  readonly port: number;
  /** Of the key exchange; 0 without a certificate. */
  readonly ntsPort: number;
  readonly pid: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a chronyd that says stratum 1, and waits until it listens. */
export async function startChrony({
  synchronised = true,
  allowed = true,
  certificate,
  faketime: pretended,
}: ChronyOptions = {}): Promise<TimeServer> {
  const folder = await mkdtemp(join(tmpdir(), 'chrony-'));
  const port = await freeUdpPort();
  const ntsPort = certificate === undefined ? 0 : await freeTcpPort();
  const nts = certificate
    ? [
        `ntsserverkey ${certificate.keyFile}`,
        `ntsservercert ${certificate.certificateFile}`,
        `ntsport ${ntsPort}`,
        'ntsprocesses 0',
      ]
    : [];
  const configuration = [
    `port ${port}`,
    'bindaddress 127.0.0.1',
    allowed ? 'allow 127.0.0.1' : 'deny all',
    ...(synchronised ? ['local stratum 1'] : []),
    'cmdport 0',
    'bindcmdaddress /',
    `pidfile ${folder}/pid`,
    ...nts,
  ];
  await writeFile(join(folder, 'chrony.conf'), `${configuration.join('\n')}\n`);
  const env = pretended === undefined ? {} : { LD_PRELOAD: libfaketime, FAKETIME: pretended, FAKETIME_DONT_RESET: '1' };
  const child = spawn(
    findProgram('chronyd') ?? 'chronyd',
    ['-4', '-x', '-d', '-u', userInfo().username, '-U', '-f', `${folder}/chrony.conf`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    },
  );
  // Its last word before it serves; the sockets are open by then.
  await lineOf(child, /Disabled control of system clock|Running with root privileges/);
  return {
    port,
    ntsPort,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function lineOf(child: ChildProcess, pattern: RegExp): Promise<void> {
  if (child.stderr === null) throw new TypeError('stderr is not piped');
  const seen: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createInterface({ input: child.stderr })
    .on('line', (line) => {
      seen.push(line);
      if (pattern.test(line)) resolve();
    })
    .on('close', () => reject(new Error(`it ended early: ${seen.join('\n')}`)));
  await promise;
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
