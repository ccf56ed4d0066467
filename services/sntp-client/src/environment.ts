/** What a probe of this machine is made of: its sockets, its resolver, its TLS. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '@small-servers/shared/clock/clock';
import { AppError } from '@small-servers/shared/errors';
import { channelOpener, type Stamping } from './channel.ts';
import type { ExchangeKeys } from './nts/key-exchange.ts';
import type { ProbeEnvironment } from './probe.ts';
import { resolveName } from './resolve.ts';

/** TLS is a good part of a program's start, and only NTS needs it. */
const exchangeKeys: ExchangeKeys = async (options) => {
  const exchange = await import('./nts/key-exchange.ts');
  return exchange.exchangeKeys(options);
};

export function systemEnvironment(stamping: Stamping): ProbeEnvironment {
  return { open: channelOpener(systemClock, stamping), resolve: resolveName, exchangeKeys };
}

/**
 * Node's certificates and those of a file; `undefined`, which means Node's alone, when no file is named.
 *
 * @throws AppError CERTIFICATES_UNREADABLE
 */
export async function trustedCertificates(path: string): Promise<readonly string[] | undefined> {
  if (path === '') return undefined;
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    throw new AppError('CERTIFICATES_UNREADABLE', `--nts-ca ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new AppError('CERTIFICATES_UNREADABLE', `--nts-ca ${path}: holds no certificate in PEM form`);
  }
  const { getCACertificates } = await import('node:tls');
  return [...getCACertificates('default'), pem];
}
