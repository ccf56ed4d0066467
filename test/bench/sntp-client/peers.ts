/** The npm packages that ask for the time, each behind one call: what it says must be added to the local clock. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export interface Package {
  readonly name: string;
  /** Milliseconds; rejects when the package refuses what it got. */
  ask(port: number): Promise<number>;
}

interface HapiSntp {
  time(options: { host: string; port: number; timeout: number }): Promise<{ t: number }>;
}
interface NtpClient {
  ntpReplyTimeout: number;
  getNetworkTime(host: string, port: number, callback: (error: unknown, date: Date) => void): void;
}
interface NtpTimeSyncModule {
  NtpTimeSync: new (options: object) => { getTime(force: boolean): Promise<{ now: Date }> };
}
interface DestinationsTransfers {
  getNetworkTime(options: { server: string; port: number; timeout: number }): Promise<Date>;
}
interface NtpTime {
  Client: new (host: string, port: number, options: object) => { syncTime(): Promise<{ t: number }> };
}

const HOST = '127.0.0.1';
const TIMEOUT_MS = 300;

/** What a package that answers with a time says the local clock is behind by, against a clock that is not cut to milliseconds. */
const ahead = (date: Date): number => date.getTime() - Number(Temporal.Now.instant().epochNanoseconds) / 1e6;

export const packages: readonly Package[] = [
  {
    name: 'ntp-client 0.5.3',
    ask: (port) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const client = require('ntp-client') as NtpClient;
      client.ntpReplyTimeout = TIMEOUT_MS;
      client.getNetworkTime(HOST, port, (error, date) => (error ? reject(error) : resolve(ahead(date))));
      return promise;
    },
  },
  {
    name: '@hapi/sntp 4.0.0',
    ask: async (port) => (await (require('@hapi/sntp') as HapiSntp).time({ host: HOST, port, timeout: TIMEOUT_MS })).t,
  },
  {
    name: 'ntp-time-sync 0.5.0',
    ask: async (port) => {
      const { NtpTimeSync } = require('ntp-time-sync') as NtpTimeSyncModule;
      const sync = new NtpTimeSync({ servers: [`${HOST}:${port}`], replyTimeout: TIMEOUT_MS });
      return ahead((await sync.getTime(true)).now);
    },
  },
  {
    name: '@destinationstransfers/ntp 2.0.0',
    ask: async (port) => {
      const { getNetworkTime } = require('@destinationstransfers/ntp') as DestinationsTransfers;
      return ahead(await getNetworkTime({ server: HOST, port, timeout: TIMEOUT_MS }));
    },
  },
  {
    name: 'ntp-time 2.1.1',
    ask: async (port) => {
      const { Client } = require('ntp-time') as NtpTime;
      return (await new Client(HOST, port, { timeout: TIMEOUT_MS }).syncTime()).t * 1000;
    },
  },
];
