/** Log lines and folders of log files for these tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createFilter, type LineQuery } from '../../src/logs/filter.ts';
import { isoTimeMs, type LogLine, parseRecord } from '../../src/logs/record.ts';
import type { ReadOptions } from '../../src/logs/source.ts';

export const DAY = '2026-11-20';

/** `at(5.25)` is five and a quarter seconds after the day began, as logs have it. */
export function at(seconds: number): string {
  return new Date(Date.parse(`${DAY}T00:00:00Z`) + Math.round(seconds * 1000)).toISOString();
}

/** A record as a service writes it, without a line end. */
export function record(seconds: number, fields: Readonly<Record<string, unknown>> = {}): string {
  const { level = 'info', service = 'echo-tcp', pid = 42, ...own } = fields;
  return JSON.stringify({ level, time: at(seconds), service, pid, ...own });
}

/** What a reader makes of a line that is a record, or of text that stands after one. */
export function lineOf(text: string, seconds = 0, service = 'echo-tcp'): LogLine {
  const parsed = parseRecord(text);
  const own = typeof parsed?.time === 'string' ? isoTimeMs(parsed.time) : undefined;
  return { service, timeMs: own ?? Date.parse(at(seconds)), text, record: parsed, cut: false };
}

/** A folder that is removed with the test; `files` by name. */
export function logFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

export function lines(...texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}

export const everything = createFilter({});

export const all: ReadOptions = { filter: everything, onDamaged: failOnDamage };

export function options(query: LineQuery): ReadOptions {
  return { filter: createFilter(query), onDamaged: failOnDamage };
}

function failOnDamage({ path }: { readonly path: string }, error: Error): void {
  throw new Error(`${path} is damaged`, { cause: error });
}

export const anyService = (): boolean => true;
