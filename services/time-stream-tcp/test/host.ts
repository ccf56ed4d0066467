/** A session's surroundings as tests need them: a machine of the world, and records kept in place of written. */

import { defaultOf } from '@small-servers/shared/config/settings';
import type { Log, RecordFields } from '@small-servers/shared/daemon/log';
import { logLevels } from '@small-servers/shared/daemon/log-levels';
import { RecordAllowance } from '@small-servers/shared/daemon/record-allowance';
import type { CloseReason } from '@small-servers/shared/server/reasons';
import { formatClients } from '../src/client-list.ts';
import { Counters } from '../src/counters.ts';
import { wireText } from '../src/protocol.ts';
import { type Peer, Session, type SessionHost } from '../src/session.ts';
import { settings, type TimeStreamConfig } from '../src/settings.ts';
import { SteadyClock } from '../src/steady-clock.ts';
import { Watchers } from '../src/watchers.ts';
import { Zone } from '../src/zones.ts';
import { Machine, World } from './world.ts';

export interface Written extends RecordFields {
  readonly level: string;
  readonly msg: string;
}

export class FakeConnection implements Peer {
  readonly id = '1';
  readonly peer = '192.0.2.7:50000';
  unsentBytes = 0;
  sent = '';
  ended = false;
  closedFor: CloseReason | undefined;

  write(bytes: Uint8Array | string): void {
    this.sent += String(bytes);
  }

  end(): void {
    this.ended = true;
  }

  close(reason: CloseReason): void {
    this.closedFor ??= reason;
  }

  get lines(): readonly string[] {
    return this.sent.split('\r\n').slice(0, -1);
  }
}

/** A server of one connection in a world of its own. */
export class TestHost {
  readonly world: World;
  readonly server: Machine;
  readonly records: Written[] = [];
  readonly printed: string[] = [];
  readonly counters = new Counters();
  readonly badLineRecords = new RecordAllowance();
  readonly connection = new FakeConnection();
  readonly session: Session;
  config: TimeStreamConfig;

  constructor(overrides: Partial<TimeStreamConfig> = {}, world = new World()) {
    this.world = world;
    this.server = new Machine(world);
    const defaults = Object.fromEntries(Object.entries(settings).map(([name, row]) => [name, defaultOf(row as never)]));
    this.config = { ...(defaults as TimeStreamConfig), clientZone: 'UTC', ...overrides };
    const clock = new SteadyClock(this.server.clock);
    const { timers } = this.server;
    const { counters, config } = this;
    const log = Object.fromEntries(
      logLevels.map((level) => [
        level,
        (fields: RecordFields, msg: string) => this.records.push(JSON.parse(JSON.stringify({ level, ...fields, msg }))),
      ]),
    );
    const host: SessionHost = {
      clock,
      timers,
      log: {
        ...log,
        level: 'info',
        isLevelEnabled: () => true,
        writeOwn: (level: string, { event, own }: { event: string; own: string }) =>
          this.records.push({ level, event, ...JSON.parse(`{${own}}`) }),
      } as unknown as Log,
      counters,
      watchers: new Watchers({ clock, timers, counters, startedMs: 0 }),
      startedMs: 0,
      sessions: new Set(),
      config,
      zone: new Zone(config.clientZone),
      badLineRecords: this.badLineRecords,
      list: () => {
        const { track, lastStampMs } = this.session.client;
        return Buffer.from(wireText(formatClients([{ conn: '1', peer: 'peer', track, lastStampMs }], clock.now())));
      },
      print: (line) => void this.printed.push(line),
    };
    this.session = new Session(this.connection, host);
  }

  /** Bytes as one read each. */
  receive(...reads: readonly string[]): void {
    for (const text of reads) this.session.onBytes(Buffer.from(text, 'latin1'));
  }

  of(event: string): readonly Written[] {
    return this.records.filter((record) => record.event === event);
  }

  get clientTimes(): readonly unknown[] {
    return this.of('stamp').map(({ clientTime }) => clientTime);
  }
}
