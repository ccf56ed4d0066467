/** The real server in the test's own process: real sockets, the real store on a folder of its own, its records kept. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveSettings } from '@small-servers/shared/config/layers';
import { createLog } from '@small-servers/shared/daemon/log';
import type { Service } from '@small-servers/shared/daemon/service';
import { createServer } from '../../src/server.ts';
import { type FileConfig, settings } from '../../src/settings.ts';

type Fields = Readonly<Record<string, unknown>>;

export class TestServer {
  readonly root: string;
  readonly records: Fields[];
  readonly service: Service<FileConfig>;
  /** What it was started with. */
  readonly config: FileConfig;
  readonly #stop: AbortController;
  readonly #waiting: Set<() => void>;

  private constructor(
    root: string,
    service: Service<FileConfig>,
    parts: { config: FileConfig; records: Fields[]; stop: AbortController; waiting: Set<() => void> },
  ) {
    this.root = root;
    this.service = service;
    this.config = parts.config;
    this.records = parts.records;
    this.#stop = parts.stop;
    this.#waiting = parts.waiting;
  }

  /** @param under where the folder to serve is made */
  static async start(changes: Partial<FileConfig> = {}, under = tmpdir()): Promise<TestServer> {
    const root = await mkdtemp(join(under, 'files-'));
    const records: Fields[] = [];
    const waiting = new Set<() => void>();
    const stop = new AbortController();
    const { config: defaults } = resolveSettings('file-server', settings, { flags: [] });
    const config = { ...defaults, port: 0, root, writable: true, ...changes };
    const write = (line: string): void => {
      records.push(JSON.parse(line) as Fields);
      for (const look of waiting) look();
    };
    const log = createLog({ service: 'file-server', level: 'info', stream: { write } });
    const service = await createServer({ config, log, signal: stop.signal });
    return new TestServer(root, service, { config, records, stop, waiting });
  }

  get port(): number {
    return this.service.listeners[0]?.port ?? 0;
  }

  /** The `count`-th record that `matches`, as soon as it is written. */
  async record(matches: (record: Fields) => boolean, count = 1): Promise<Fields> {
    const { promise, resolve } = Promise.withResolvers<Fields>();
    const look = (): void => {
      const found = this.records.filter(matches)[count - 1];
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(look);
    look();
    const record = await promise;
    this.#waiting.delete(look);
    return record;
  }

  stop(): void {
    this.#stop.abort('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.service.closed;
    await rm(this.root, { recursive: true, force: true });
  }
}
