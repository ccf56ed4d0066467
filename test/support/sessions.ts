/**
 * Sessions in documents: fenced blocks marked `console`, where lines that begin with `$ ` are commands and the others
 * what they print. Running them keeps the documents true.
 *
 * What cannot be the same twice is not compared: times (`0.42 ms`), local ports (`from 127.0.0.1:40000`), the width of
 * columns, whatever stands at `...`, and any lines where a line is `...` alone.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { repository } from './daemon.ts';

export interface Session {
  /** Line of the document, from 1, where the block begins. */
  readonly line: number;
  /** The words after `console`: what the session needs to run beside it. */
  readonly needs: readonly string[];
  readonly exchanges: readonly { readonly command: string; readonly output: readonly string[] }[];
}

/** The sessions of a Markdown text, in order. */
export function readSessions(markdown: string): readonly Session[] {
  const sessions: Session[] = [];
  const lines = markdown.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^```console(.*)$/.exec(lines[index] ?? '');
    if (fence === null) continue;
    const start = index + 1;
    while (lines[index + 1] !== '```' && index < lines.length) index += 1;
    sessions.push({
      line: start,
      needs: wordsOf(fence[1] ?? ''),
      exchanges: exchangesOf(lines.slice(start, index + 1)),
    });
  }
  return sessions;
}

/** Words, with spaces kept inside double quotes. */
function wordsOf(info: string): readonly string[] {
  return Array.from(info.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '');
}

function exchangesOf(lines: readonly string[]): Session['exchanges'] {
  const exchanges: { command: string; output: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('$ ')) exchanges.push({ command: line.slice(2), output: [] });
    else exchanges.at(-1)?.output.push(line);
  }
  return exchanges;
}

/** A folder with a command for each bin of the workspace, to go in front of PATH: `nettool`, `echo-tcp`, ... */
export function binFolder(names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sessions-'));
  for (const name of names) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\nexec "${repository}node_modules/.bin/${name}" "$@"\n`);
    chmodSync(path, 0o755);
  }
  return folder;
}

const MARK = '\u0001';

/** Runs the commands one after another in one shell: what each printed, on stdout and stderr together. */
export async function runSession(
  session: Session,
  folder: string,
  rename: (text: string) => string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const script = session.exchanges
    // The mark comes without touching $?, which the next command may ask for.
    .map(({ command }) => `${rename(command)}\nstatus=$?; printf '${MARK}'; (exit $status)`)
    .join('\n');
  const shell = spawn('bash', ['-c', `exec 2>&1\n${script}`], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env, PATH: `${folder}:${process.env.PATH}`, NO_COLOR: '1' },
  });
  return (await text(shell.stdout)).split(MARK).slice(0, -1);
}

/** Whether the printed text is what the document shows, but for what cannot be the same twice. */
export function isAsShown(shown: readonly string[], printed: string): boolean {
  const pattern = shown.map((line) => (line === '...' ? '(?:.*\n)*?' : `${linePattern(line)}\n`)).join('');
  return new RegExp(`^${pattern}$`).test(settle(printed.endsWith('\n') || printed === '' ? printed : `${printed}\n`));
}

function linePattern(line: string): string {
  return settle(line)
    .split('...')
    .map((part) => RegExp.escape(part))
    .join('.*');
}

/** The text with everything that changes from run to run put to rest. */
function settle(printed: string): string {
  return printed
    .replaceAll('\r\n', '\n')
    .replaceAll(/\b\d+(?:\.\d+)? m?s\b/g, '# ms')
    .replaceAll(/(from \S+:)\d+/g, '$1#')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/ $/gm, '');
}
