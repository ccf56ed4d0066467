/** The pages of the admin socket: one row each, from which answers, refusals and documents are made. */
import { STATUS_CODES } from 'node:http';
import { choice, duration } from '../config/kinds.ts';
import { quote } from '../config/problems.ts';
import type { Readiness } from './admin-client.ts';
import type { LogLevelState } from './log-level.ts';
import { type LogLevel, logLevels } from './log-levels.ts';
import type { MetricFamily } from './metrics.ts';
import { formatMetrics } from './metrics-text.ts';

/** What the pages show and change. */
export interface AdminSubject {
  readiness(): Readiness;
  metrics(): Promise<readonly MetricFamily[]>;
  /** Every setting in force, by name. */
  configuration(): unknown;
  logLevel(): LogLevelState;
  setLogLevel(level: LogLevel, ttlMs: number): void;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** For 405: what is allowed in place of it. */
  readonly allow?: string;
}

interface Page {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  /** The row of docs/operations.md. */
  readonly describe: string;
  readonly answer: (subject: AdminSubject, body: string) => Reply | Promise<Reply>;
}

/** Longer bodies are no request of ours. */
export const MAX_BODY_BYTES = 1024;

const DEFAULT_TTL_MS = 600_000;

const json = (status: number, body: unknown): Reply => ({
  status,
  contentType: 'application/json',
  text: `${JSON.stringify(body)}\n`,
});

export const adminPages: readonly Page[] = [
  {
    method: 'GET',
    path: '/healthz',
    describe: '200 while the process runs',
    answer: () => json(200, { state: 'alive' }),
  },
  {
    method: 'GET',
    path: '/readyz',
    describe: '200 when it serves, 503 while it drains; who and where in the body',
    answer: (subject) => {
      const body = subject.readiness();
      return json(body.state === 'ready' ? 200 : 503, body);
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    describe: 'every metric in the text format of Prometheus',
    answer: async (subject) => ({ status: 200, ...(await formatMetrics(await subject.metrics())) }),
  },
  {
    method: 'GET',
    path: '/metrics.json',
    describe: 'the same as JSON, buckets not cumulated',
    answer: async (subject) => json(200, await subject.metrics()),
  },
  {
    method: 'GET',
    path: '/config',
    describe: 'every setting in force with its origin, and what waits for a restart',
    answer: (subject) => json(200, subject.configuration()),
  },
  {
    method: 'GET',
    path: '/log-level',
    describe: 'the level in force, the configured one, and when it goes back to that',
    answer: (subject) => json(200, subject.logLevel()),
  },
  {
    method: 'PUT',
    path: '/log-level',
    describe: 'another level for a time: `{ "level": "debug", "ttl": "10m" }`',
    answer: (subject, body) => {
      const request = parseLevelRequest(body);
      if ('problems' in request) return json(400, request);
      subject.setLogLevel(request.level, request.ttlMs);
      return json(200, subject.logLevel());
    },
  },
];

const levelKind = choice(...logLevels);
const ttlKind = duration({ min: 1_000, max: 86_400_000 });

type LevelRequest = { readonly level: LogLevel; readonly ttlMs: number } | { readonly problems: readonly string[] };

/** Reads the body of `PUT /log-level`; every problem at once. */
function parseLevelRequest(body: string): LevelRequest {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch {
    // Told below, as any body that is no object.
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return { problems: ['the body is not an object; expected { "level": "debug", "ttl": "10m" }'] };
  }
  const { level: levelText, ttl: ttlText, ...others } = request as Record<string, unknown>;
  const level = typeof levelText === 'string' ? levelKind.parse(levelText) : undefined;
  const ttlMs =
    ttlText === undefined ? DEFAULT_TTL_MS : typeof ttlText === 'string' ? ttlKind.parse(ttlText) : undefined;
  const problems = Object.keys(others).map((key) => `${quote(key)} is an unknown key; expected level and ttl`);
  if (level === undefined) problems.push(wrong('level', levelText, levelKind.allowed));
  if (ttlMs === undefined) problems.push(wrong('ttl', ttlText, ttlKind.allowed));
  return problems.length > 0 || level === undefined || ttlMs === undefined ? { problems } : { level, ttlMs };
}

const wrong = (name: string, value: unknown, allowed: string): string =>
  value === undefined
    ? `${name} is missing; expected ${allowed}`
    : `${name}: ${JSON.stringify(value)} is not allowed; expected ${allowed}`;

/** The answer to a request, whatever it asks for. A query string is passed over. */
export async function answerRequest(
  subject: AdminSubject,
  method: string,
  url: string,
  readBody: () => Promise<string | undefined>,
): Promise<Reply> {
  const path = url.replace(/\?.*$/s, '');
  const pages = adminPages.filter((page) => page.path === path);
  const page = pages.find((candidate) => candidate.method === method);
  if (page !== undefined) {
    const body = await readBody();
    if (body === undefined) return json(413, { error: `${STATUS_CODES[413]}: at most ${MAX_BODY_BYTES} bytes` });
    return page.answer(subject, body);
  }
  if (pages.length === 0) return json(404, { error: `no such page; there are ${listPages()}` });
  const allow = pages.map((candidate) => candidate.method).join(', ');
  return { ...json(405, { error: `${method} is not allowed here; use ${allow}` }), allow };
}

const listPages = (): string => [...new Set(adminPages.map(({ path }) => path))].join(' ');
