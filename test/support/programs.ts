/**
 * Real programs that tests talk with (nc, telnet, socat, ...). A test that needs one that is not
 * installed is skipped by name; in CI (`CI=true`) a skip is a failure, since .ci/run installs them all.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type TestFunction, test } from 'vitest';

/** The path of a program, looked for in PATH and where administrators' programs live. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Something a test needs beside code: named in the skip, so that the count of skips says what is missing. */
export interface Need {
  readonly name: string;
  readonly met: boolean;
}

export const program = (name: string): Need => ({ name, met: findProgram(name) !== undefined });

export const root: Need = { name: 'root', met: process.getuid?.() === 0 };

/** `test`, if everything it needs is here. */
export function testWith(needs: readonly Need[], title: string, body: TestFunction<object>, timeoutMs?: number): void {
  const missing = needs.filter(({ met }) => !met).map(({ name }) => name);
  if (missing.length === 0) {
    test(title, body, timeoutMs);
  } else if (process.env.CI === 'true') {
    test(title, () => {
      throw new Error(`needs ${missing.join(', ')}, which CI must have: see .ci/run`);
    });
  } else {
    test.skip(`${title} [needs ${missing.join(', ')}]`, () => {});
  }
}
