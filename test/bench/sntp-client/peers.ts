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
  NtpTimeSync: new (options: object) => { getTime(force: boolean): Promise<{ offset: number }> };
}
interface DestinationsTransfers {
  getNetworkTime(options: { server: string; port: number; timeout: number }): Promise<Date>;
}
interface NtpTime {
  Client: new (host: string, port: number, options: object) => { syncTime(): Promise<{ t: number }> };
}

const HOST = '127.0.0.1';
const TIMEOUT_MS = 300;

export const packages: readonly Package[] = [
  {
    name: 'ntp-client 0.5.3',
    ask: (port) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const client = require('ntp-client') as NtpClient;
      client.ntpReplyTimeout = TIMEOUT_MS;
      client.getNetworkTime(HOST, port, (error, date) =>
        error ? reject(error) : resolve(date.getTime() - Date.now()),
      );
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
      const sync = new NtpTimeSync({ servers: [`${HOST}:${port}`], sampleCount: 1, replyTimeout: TIMEOUT_MS });
      return (await sync.getTime(true)).offset;
    },
  },
  {
    name: '@destinationstransfers/ntp 2.0.0',
    ask: async (port) => {
      const { getNetworkTime } = require('@destinationstransfers/ntp') as DestinationsTransfers;
      return (await getNetworkTime({ server: HOST, port, timeout: TIMEOUT_MS })).getTime() - Date.now();
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
