/** Key exchange over real TLS, with servers that do it wrongly in every way they can. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { program, testWith } from '../../../../test/support/programs.ts';
import { makeCertificate } from '../../../../test/support/time-servers.ts';
import { exchangeKeys } from '../../src/nts/key-exchange.ts';
import { encodeRecord, keyExchangeRequest, numbers, recordTypes } from '../../src/nts/records.ts';

const openssl = [program('openssl')];

let folder = '';
let tls: { readonly key: string; readonly cert: string } = { key: '', cert: '' };
const servers: Server[] = [];

beforeAll(async () => {
  if (openssl.some(({ met }) => !met)) return;
  folder = await mkdtemp(join(tmpdir(), 'sntp-tls-'));
  const { keyFile, certificateFile } = await makeCertificate(folder);
  tls = { key: await readFile(keyFile, 'utf8'), cert: await readFile(certificateFile, 'utf8') };
});

afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A key exchange server; `answer` is called with each connection. */
function serve(answer: (socket: TLSSocket) => void, options: TlsOptions = {}): Promise<number> {
  const server = createServer({ ...tls, ALPNProtocols: ['ntske/1'], ...options }, (socket) => {
    socket.on('error', () => {});
    answer(socket);
  });
  server.on('tlsClientError', () => {});
  return listen(server);
}

const ask = (port: number, changes: Partial<Parameters<typeof exchangeKeys>[0]> = {}) =>
  exchangeKeys({ address: '127.0.0.1', port, host: 'localhost', ca: [tls.cert], timeoutMs: 20_000, ...changes });

const goodRecords = [
  { critical: true, type: recordTypes.nextProtocol, body: numbers(0) },
  { critical: false, type: recordTypes.aead, body: numbers(15) },
  { critical: false, type: recordTypes.newCookie, body: Buffer.alloc(100, 1) },
  { critical: true, type: recordTypes.endOfMessage, body: Buffer.alloc(0) },
];
const goodAnswer = Buffer.concat(goodRecords.map(encodeRecord));

describe.concurrent('key exchange', () => {
  testWith(openssl, 'asks exactly what it should, and both ends get the same keys', async () => {
    let request = '';
    let theirs: string[] = [];
    const port = await serve((socket) =>
      socket.on('data', (bytes: Buffer) => {
        request = bytes.toString('hex');
        // RFC 8915 section 5.1: protocol 0, AEAD 15, then the direction.
        theirs = ['0000000f00', '0000000f01'].map((context) =>
          socket
            .exportKeyingMaterial(32, 'EXPORTER-network-time-security', Buffer.from(context, 'hex'))
            .toString('hex'),
        );
        socket.write(goodAnswer);
      }),
    );
    const result = await ask(port);
    expect(request).toBe(keyExchangeRequest.toString('hex'));
    expect(result.ok && result.answer.cookies).toHaveLength(1);
    const keys = result.ok ? [result.keys.clientToServer, result.keys.serverToClient] : [];
    expect(keys.map((key) => Buffer.from(key).toString('hex'))).toEqual(theirs);
  });

  testWith(openssl, 'an answer that comes byte by byte is the same answer', async () => {
    const port = await serve((socket) => {
      socket.setNoDelay(true);
      for (const byte of goodAnswer) socket.write(Buffer.of(byte));
    });
    expect((await ask(port)).ok).toBe(true);
  });

  const wrong: readonly (readonly [string, () => Promise<number>, string])[] = [
    ['a server without ALPN', () => serve((socket) => socket.write(goodAnswer), { ALPNProtocols: [] }), 'no-alpn'],
    [
      'a server of another protocol',
      () => serve((socket) => socket.write(goodAnswer), { ALPNProtocols: ['http/1.1'] }),
      'tls',
    ],
    ['TLS 1.2', () => serve((socket) => socket.write(goodAnswer), { maxVersion: 'TLSv1.2' }), 'tls'],
    [
      'no TLS at all',
      () => listen(createTcpServer((socket) => void socket.on('error', () => {}).end('220 hello\r\n'))),
      'tls',
    ],
    [
      'an error record',
      () =>
        serve((socket) =>
          socket.write(
            Buffer.concat([encodeRecord({ critical: true, type: recordTypes.error, body: numbers(1) }), goodAnswer]),
          ),
        ),
      'error-record',
    ],
    ['an end in the middle', () => serve((socket) => socket.end(goodAnswer.subarray(0, 40))), 'ended-early'],
    ['data without end', () => serve((socket) => socket.write(Buffer.alloc(100_000, 0x40))), 'too-long'],
  ];
  for (const [name, start, problem] of wrong) {
    testWith(openssl, `${name} ends as ${problem}`, async () => {
      expect(await ask(await start())).toMatchObject({ ok: false, problem });
    });
  }

  testWith(openssl, 'a server that says nothing is given up at the deadline', async () => {
    expect(await ask(await serve(() => {}), { timeoutMs: 300 })).toMatchObject({ problem: 'timed-out' });
  });

  testWith(openssl, 'a certificate that nobody trusts, or for another name, is refused', async () => {
    const port = await serve((socket) => socket.write(goodAnswer));
    expect(await ask(port, { ca: undefined })).toMatchObject({
      problem: 'certificate',
      detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(await ask(port, { host: 'time.example' })).toMatchObject({
      problem: 'certificate',
      detail: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(await ask(port, { address: '127.0.0.1', host: '127.0.0.1' })).toMatchObject({ ok: true });
  });

  testWith(openssl, 'a closed port is refused', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    server.close();
    expect(await ask(port)).toMatchObject({ problem: 'refused' });
  });
});
