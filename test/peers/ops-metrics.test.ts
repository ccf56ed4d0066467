/** What every service tells Prometheus, held together with the documents and judged by the real promtool. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminPages } from '@small-servers/shared/daemon/admin-pages';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askAdminPage } from '../support/admin.ts';
import { Daemon, repository } from '../support/daemon.ts';
import { serviceNames } from '../support/fleet.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';
import { until } from '../support/tcp.ts';

const operations = await readFile(`${repository}docs/operations.md`, 'utf8');
const folder = `${repository}docs/operations`;
const services = await serviceNames();

/** Starts a service on a free port, or, a client, without asking anybody but this machine. */
async function quietArguments(service: string): Promise<readonly string[]> {
  const { settings } = (await import(`${repository}services/${service}/src/settings.ts`)) as { settings: object };
  return 'port' in settings ? ['serve', '--port', '0'] : ['watch', '--servers', '127.0.0.1', '--state-file', 'off'];
}

/** Family names with their type and help, as the text format has them. */
function families(text: string): ReadonlyMap<string, string> {
  const help = new Map(
    Array.from(text.matchAll(/^# HELP (\S+) (.*)$/gm), ([, name = '', words = '']) => [name, words]),
  );
  return new Map(
    Array.from(text.matchAll(/^# TYPE (\S+) (.*)$/gm), ([, name = '', type]) => {
      const words = help.get(name) ?? '';
      return [name, `| \`${name}\` | ${type} | ${words.charAt(0).toLowerCase()}${words.slice(1)} |`];
    }),
  );
}

let state = '';
const pages = new Map<string, string>();

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'ops-'));
  await Promise.all(
    services.map(async (service) => {
      const socket = join(state, `${service}.sock`);
      await using _daemon = new Daemon(service, [...(await quietArguments(service)), '--admin-socket', socket]);
      await until(() => existsSync(socket), 'the admin socket is there');
      pages.set(service, (await askAdminPage(socket, '/metrics')).text);
    }),
  );
});
afterAll(() => rm(state, { recursive: true, force: true }));

const everyFamily = (): ReadonlyMap<string, string> => families([...pages.values()].join('\n'));

/** Metrics that a text names: a histogram's series count as the histogram. */
function namesIn(text: string): readonly string[] {
  const known = everyFamily();
  const names = text.match(/\bsmall_servers_[a-z_]+/g) ?? [];
  return [...new Set(names.map((name) => (known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, ''))))];
}

testWith([program('promtool')], 'promtool finds no fault in the metrics of any service', async () => {
  for (const page of pages.values()) {
    const { code, stdout, stderr } = await runWith(page, 'promtool', 'check', 'metrics');
    expect([code, stderr, stdout.toString()]).toEqual([0, '', '']);
  }
});

testWith([program('promtool')], 'promtool accepts the scrape configuration and with it the alert rules', async () => {
  const { code, stdout, stderr } = await runWith('', 'promtool', 'check', 'config', join(folder, 'prometheus.yml'));
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.toString()).toMatch(/SUCCESS: 1 rule files found[\s\S]*SUCCESS: \d\d+ rules found/);
});

testWith([program('promtool')], 'alerts fire on what they are for, and not on the ordinary', async () => {
  const { code, stdout, stderr } = await runWith('', 'promtool', 'test', 'rules', join(folder, 'alerts-test.yml'));
  expect([code, stderr], stdout.toString()).toEqual([0, '']);
});

describe('the documents', () => {
  test('a row of docs/operations.md for each metric, with its type and help, and no other row', () => {
    const rows = operations.split('\n').filter((line) => line.startsWith('| `small_servers_'));
    expect(rows.toSorted()).toEqual([...everyFamily().values()].toSorted());
  });

  test('a row for each page of the admin socket, in order, with what it answers', () => {
    const rows = operations.split('\n').filter((line) => /^\| `(?:GET|PUT) /.test(line));
    expect(rows).toEqual(adminPages.map(({ method, path, describe }) => `| \`${method} ${path}\` | ${describe} |`));
  });

  test('each service is scraped', async () => {
    const text = await readFile(join(folder, 'prometheus.yml'), 'utf8');
    const scraped = Array.from(text.matchAll(/instance: ([\w-]+)/g), ([, name]) => name);
    expect(scraped.toSorted()).toEqual(services.toSorted());
  });

  test.each(['alerts.yml', 'grafana-dashboard.json'])('every metric that %s names exists', async (file) => {
    const text = await readFile(join(folder, file), 'utf8');
    const names = namesIn(text);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !everyFamily().has(name))).toEqual([]);
  });

  test('the dashboard is one that Grafana takes: panels with an id, a place and a query each', async () => {
    const dashboard = JSON.parse(await readFile(join(folder, 'grafana-dashboard.json'), 'utf8'));
    const ids = dashboard.panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { gridPos, targets } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (const { expr } of targets) expect(expr).toContain('instance=~"$instance"');
    }
  });
});
