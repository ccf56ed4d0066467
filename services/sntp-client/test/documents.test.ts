/** The pages say what the tables of the code say. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { rejectionReasons } from '../src/acceptance.ts';
import { metricsOf } from '../src/metrics.ts';
import { keyExchangeProblems } from '../src/nts/records.ts';
import { pollResults } from '../src/verdict.ts';
import { Watcher } from '../src/watcher.ts';

const read = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

/** Cells of a page's tables, first and second of each row. */
async function rows(page: string): Promise<ReadonlyMap<string, string>> {
  const found = (await read(page)).matchAll(/^\| `([^`]+)` \| ([^|]+) \|$/gm);
  return new Map([...found].map(([, name = '', text = '']) => [name, text]));
}

test('every reason for leaving a reply aside stands in the protocol page, in the words of the code', async () => {
  const page = await rows('docs/protocols/sntp.md');
  for (const [reason, sentence] of Object.entries(rejectionReasons)) {
    expect(page.get(reason)?.replaceAll('`', ''), reason).toBe(sentence);
  }
});

test('every reason of a failed key exchange stands in the protocol page', async () => {
  const page = await read('docs/protocols/sntp.md');
  for (const problem of Object.keys(keyExchangeProblems)) expect(page).toContain(`\`${problem}\``);
});

test('every result of a poll stands in the README, in the words of the code', async () => {
  const page = await rows('services/sntp-client/README.md');
  for (const [result, sentence] of Object.entries(pollResults)) {
    expect(page.get(result)?.replaceAll('`', ''), result).toBe(sentence.replaceAll('`', ''));
  }
});

test('every metric stands in the README', async () => {
  const page = await read('services/sntp-client/README.md');
  const watcher = new Watcher({
    servers: [],
    limits: { minPollSeconds: 64, maxPollSeconds: 1024 },
    log: {} as never,
    clock: { wallNs: () => 0n, monoNs: () => 0n },
    timers: { after: () => () => {} },
    memory: { recall: () => undefined, remember: async () => {} },
    random: () => 0,
  });
  for (const { name } of metricsOf(watcher))
    expect(page).toMatch(new RegExp(`\`${name.replace('small_servers_sntp_', '')}[\`{]`));
});
