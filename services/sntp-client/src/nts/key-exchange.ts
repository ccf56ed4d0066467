/**
 * NTS key exchange over TLS 1.3 (RFC 8915 section 4): the keys come out of the TLS session itself, the
 * cookies and where to go with them out of the records.
 */
import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { systemCode } from '@small-servers/shared/errors';
import { KEY_BYTES } from './aead.ts';
import {
  AEAD_ID,
  interpret,
  type KeyExchangeAnswer,
  type KeyExchangeProblem,
  keyExchangeRequest,
  MAX_RESPONSE_BYTES,
  type NtsRecord,
  numbers,
  PROTOCOL_NTPV4,
  parseRecords,
} from './records.ts';

const ALPN = 'ntske/1';
const EXPORTER_LABEL = 'EXPORTER-network-time-security';

export interface KeyExchangeOptions {
  /** Where to connect to. */
  readonly address: string;
  readonly port: number;
  /** The name, or the address, that the certificate must be for. */
  readonly host: string;
  /** Certificates to trust, PEM; the system's own when left out. */
  readonly ca?: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface KeyMaterial {
  readonly clientToServer: Uint8Array;
  readonly serverToClient: Uint8Array;
}

export type KeyExchangeResult =
  | { readonly ok: true; readonly answer: KeyExchangeAnswer; readonly keys: KeyMaterial }
  | { readonly ok: false; readonly problem: KeyExchangeProblem; readonly detail: string };

export type ExchangeKeys = (options: KeyExchangeOptions) => Promise<KeyExchangeResult>;

/** Exchanges keys once; every failure is a result with its reason, nothing is thrown. */
export const exchangeKeys: ExchangeKeys = async ({ address, port, host, ca, timeoutMs, signal }) => {
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  const socket = connect({
    host: address,
    port,
    // Node compares the certificate with the servername, or with `host` when that is an address.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: 'TLSv1.3' as const,
    ALPNProtocols: [ALPN],
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
  try {
    await once(socket, 'secureConnect', { signal: ended });
    if (socket.alpnProtocol !== ALPN) return { ok: false, problem: 'no-alpn', detail: '' };
    socket.write(keyExchangeRequest);
    const records = await readRecords(socket, ended);
    if (typeof records === 'string') return { ok: false, problem: records, detail: '' };
    const meaning = interpret(records);
    return meaning.ok ? { ok: true, answer: meaning.answer, keys: exportKeys(socket) } : meaning;
  } catch (error) {
    return describeFailure(error, deadline.aborted);
  } finally {
    socket.on('error', () => {});
    socket.destroy();
  }
};

async function readRecords(socket: TLSSocket, signal: AbortSignal): Promise<readonly NtsRecord[] | KeyExchangeProblem> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly NtsRecord[] | KeyExchangeProblem>();
  let received = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    const records = parseRecords(received);
    if (records !== 'incomplete') resolve(records);
    else if (received.length > MAX_RESPONSE_BYTES) resolve('too-long');
  });
  socket.on('end', () => resolve('ended-early'));
  socket.on('close', () => resolve('ended-early'));
  socket.on('error', reject);
  const interrupt = (): void => reject(signal.reason);
  signal.addEventListener('abort', interrupt, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', interrupt));
}

/** RFC 8915 section 5.1: the context is protocol, AEAD and direction. */
function exportKeys(socket: TLSSocket): KeyMaterial {
  const key = (direction: number): Uint8Array => {
    const context = Buffer.concat([numbers(PROTOCOL_NTPV4, AEAD_ID), Buffer.of(direction)]);
    return socket.exportKeyingMaterial(KEY_BYTES, EXPORTER_LABEL, context);
  };
  return { clientToServer: key(0), serverToClient: key(1) };
}

const byCode: Readonly<Record<string, KeyExchangeProblem>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timed-out',
};

/** What OpenSSL and Node call a certificate that is not to be trusted. */
const certificateCodes = /CERT|SELF_SIGNED|ISSUER|SIGNATURE|CHAIN|HOSTNAME/;

function describeFailure(error: unknown, late: boolean): KeyExchangeResult {
  if (late) return { ok: false, problem: 'timed-out', detail: '' };
  const code = systemCode(error) ?? '';
  const problem = byCode[code] ?? (certificateCodes.test(code) ? 'certificate' : 'tls');
  return { ok: false, problem, detail: code };
}
