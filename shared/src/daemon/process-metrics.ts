/** What every daemon tells of its process: memory, descriptors, processor, event loop, version. */
import { readdir } from 'node:fs/promises';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import manifest from '../../package.json' with { type: 'json' };
import { counter, gauge, Histogram, histogram, type MetricFamily } from './metrics.ts';

/**
 * How late a timer may find the loop: 10 looks a second cost about 0.05% of a core, and a stall that matters
 * to peers (50 ms and more) is found in every second case at least. `monitorEventLoopDelay` is finer, but its
 * histogram gives percentiles since its last reset, which two scrapers would take from each other.
 */
const LAG_LOOK_INTERVAL_MS = 100;
const LAG_BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export class ProcessMetrics {
  readonly #service: string;
  readonly #maxDescriptors: number;
  readonly #lag = new Histogram(LAG_BOUNDS_SECONDS);
  readonly #timer: NodeJS.Timeout;

  /** @param maxDescriptors soft limit of open files; `Infinity` where the system has none */
  constructor(service: string, maxDescriptors: number) {
    this.#service = service;
    this.#maxDescriptors = maxDescriptors;
    let expectedMs = performance.now() + LAG_LOOK_INTERVAL_MS;
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      this.#lag.observe(Math.max(0, nowMs - expectedMs) / 1000);
      expectedMs = nowMs + LAG_LOOK_INTERVAL_MS;
    }, LAG_LOOK_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async families(): Promise<readonly MetricFamily[]> {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const open = await openDescriptors();
    return [
      {
        name: 'small_servers_build_info',
        help: 'Which program this is; the value is always 1',
        type: 'gauge',
        samples: [
          { labels: { service: this.#service, version: manifest.version, node: process.versions.node }, value: 1 },
        ],
      },
      gauge(
        'small_servers_process_start_time_seconds',
        'When the process started, in seconds since 1970',
        Math.round(performance.timeOrigin) / 1000,
      ),
      counter(
        'small_servers_process_cpu_seconds_total',
        'Processor time used by the process, in its own code and in the system',
        (user + system) / 1e6,
      ),
      gauge('small_servers_process_resident_memory_bytes', 'Memory of the process that is in RAM', rss),
      gauge('small_servers_process_heap_used_bytes', 'Memory that JavaScript objects take', heapUsed),
      gauge('small_servers_process_heap_size_bytes', 'Memory reserved for JavaScript objects', heapTotal),
      gauge('small_servers_process_external_memory_bytes', 'Memory of buffers outside the heap', external),
      ...(open === undefined ? [] : [gauge('small_servers_process_open_fds', 'Open file descriptors', open)]),
      ...(Number.isFinite(this.#maxDescriptors)
        ? [
            gauge(
              'small_servers_process_max_fds',
              'File descriptors the process may have open (ulimit -n)',
              this.#maxDescriptors,
            ),
          ]
        : []),
      histogram(
        'small_servers_event_loop_lag_seconds',
        'How late the event loop ran a timer, looked at ten times a second',
        this.#lag,
      ),
      loopTime(performance.eventLoopUtilization()),
    ];
  }
}

function loopTime({ active, idle }: EventLoopUtilization): MetricFamily {
  return {
    name: 'small_servers_event_loop_seconds_total',
    help: 'Time the event loop spent running code (active) and waiting for something to do (idle)',
    type: 'counter',
    samples: [
      { labels: { state: 'active' }, value: active / 1000 },
      { labels: { state: 'idle' }, value: idle / 1000 },
    ],
  };
}

/** Linux lists them; `undefined` elsewhere. The one that reads the list is left out. */
async function openDescriptors(): Promise<number | undefined> {
  const names = await readdir('/proc/self/fd').catch(() => undefined);
  return names === undefined ? undefined : names.length - 1;
}
