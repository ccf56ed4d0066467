/** docs/protocols/file.md: its tables are those of the code, and its byte vectors are what a session answers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '@small-servers/shared/cli/program';
import { nameSettings } from '@small-servers/shared/config/settings';
import { describe, expect, test } from 'vitest';
import { repository } from '../../../test/support/daemon.ts';
import { errorCodes } from '../src/protocol/codes.ts';
import { usageOf, type VerbName, verbs } from '../src/protocol/verbs.ts';
import { outcomes } from '../src/transfers.ts';
import { openStore, rootWithOutside, ways } from './store/support/roots.ts';
import { MemoryStore } from './support/memory-store.ts';
import { answersTo, settled, Wire } from './support/wire.ts';

const page = await readFile(`${repository}docs/protocols/file.md`, 'utf8');

/** What a cell of a table may hold. */
const cell = (text: string): string => text.replaceAll('|', '\\|');

const needs = { nothing: '', read: 'reading', write: 'changing' } as const;

test('the table of commands is the table of the parser', () => {
  const rows = (Object.keys(verbs) as VerbName[]).map(
    (name) => `| \`${cell(usageOf(name))}\` | ${needs[verbs[name].needs]} | ${cell(verbs[name].summary)} |`,
  );
  const table = ['| Command | Right | What it does |', '|---|---|---|', ...rows].join('\n');
  const [, found] = /<!-- verbs:[^\n]*-->\n([\s\S]*?)\n\n/.exec(page) ?? [];
  expect(found).toBe(table);
});

test('every rule that an argument can have is in the grammar', () => {
  const rules = Object.values(verbs).flatMap(({ operands, options }) =>
    [...Object.values(operands), ...Object.values(options)].map(({ rule }) => rule),
  );
  for (const rule of new Set(rules)) expect(page).toMatch(new RegExp(`^${rule} +=`, 'm'));
});

test('every code has its row, with what it says of trying again', () => {
  const rows = [...page.matchAll(/^\| `([A-Z]+)` \| (no|later|auth) \|/gm)].map(([, code, retry]) => [code, retry]);
  expect(rows).toEqual(Object.entries(errorCodes));
});

test('every outcome of a transfer has its row in docs/operations.md', async () => {
  const operations = await readFile(`${repository}docs/operations.md`, 'utf8');
  for (const [outcome, meaning] of Object.entries(outcomes))
    expect(operations).toContain(`| \`${outcome}\` | ${meaning} |`);
});

test('the README says of every flag that client commands share which of them have it', async () => {
  const names = ['ls', 'stat', 'sum', 'get', 'put', 'probe', 'rm', 'mv', 'mkdir'];
  const flagsOf = async (name: string): Promise<readonly string[]> => {
    const { [name]: command } = (await import(`../src/client/${name}-command.ts`)) as Record<string, Command>;
    return nameSettings('file-server', command?.settings ?? {}).map((setting) => setting.name);
  };
  const having = new Map(await Promise.all(names.map(async (name) => [name, await flagsOf(name)] as const)));
  const readme = await readFile(`${repository}services/file-server/README.md`, 'utf8');
  const [, table = ''] = /\| Flag \| Default \| Of \| What it is \|\n.*\n([\s\S]*?)\n\n/.exec(readme) ?? [];
  const rows = [...table.matchAll(/^\| `--([a-z-]+).*?(?<!\\)\|.*?\| (.*?) \|/gm)].map(([, flag = '', of = '']) => {
    const named = [...of.matchAll(/`([a-z]+)`/g)].map(([, name = '']) => name);
    return [flag, of.startsWith('all') ? names.filter((name) => !named.includes(name)) : named] as const;
  });
  expect(rows).toHaveLength(8);
  for (const [flag, commands] of rows) {
    // `--json` is every command's own, and no setting.
    const those = flag === 'json' ? names : names.filter((name) => having.get(name)?.includes(flag));
    expect([flag, commands]).toEqual([flag, those]);
  }
  // What only one of them has stands in its own section.
  const shared = new Set(rows.map(([flag]) => flag));
  const several = [...new Set([...having.values()].flat())].filter(
    (flag) => [...having.values()].filter((flags) => flags.includes(flag)).length > 2 && !shared.has(flag),
  );
  expect(several).toEqual([]);
});

interface Vector {
  readonly text: string;
  readonly sent: Buffer;
  readonly answer: string;
  readonly ends: boolean;
}

const named: Readonly<Record<string, string>> = { r: '\r', n: '\n', '0': '\0' };

const bytesOf = (text: string): string =>
  text.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (named[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

const vectors: readonly Vector[] = [...page.matchAll(/^```vector\n> (.*)\n< (.*)\n(ends|stays open)\n```$/gm)].map(
  ([, sent = '', answer = '', end]) => ({
    text: sent,
    sent: Buffer.from(bytesOf(sent), 'latin1'),
    answer: bytesOf(answer),
    ends: end === 'ends',
  }),
);

describe('byte vectors', () => {
  test('are there, every one of them of the right form', () => {
    expect(vectors.length).toBeGreaterThan(8);
    expect(page.match(/^```vector$/gm)).toHaveLength(vectors.length);
  });

  const plain = (output: string): string => settled(output).replaceAll(/sha256=[0-9a-f]{64}/g, 'sha256=*');

  test.each(vectors)('$text', async ({ sent, answer, ends }) => {
    for (const reads of [[sent], Array.from(sent, (byte) => Buffer.of(byte))]) {
      const store = new MemoryStore();
      store.put('hello.txt', 'hello\n');
      store.makeFolder('d');
      const wire = new Wire(store);
      expect(plain(await answersTo(wire, ...reads))).toBe(answer);
      expect(wire.ended).toBe(ends);
    }
  });

  test.each(ways.flatMap((way) => vectors.map((vector) => ({ ...vector, ...way }))))(
    'with files on a disk ($name): $text',
    async ({ sent, answer, ends, options, under }) => {
      const { root } = rootWithOutside(under);
      writeFileSync(join(root, 'hello.txt'), 'hello\n');
      mkdirSync(join(root, 'd'));
      const wire = new Wire(await openStore(root, options));
      wire.send(sent);
      await expect.poll(() => [plain(wire.output), wire.ended], { timeout: 20_000 }).toEqual([answer, ends]);
    },
  );
});
