/** Files that failed while others did not: told one a line, and only so many. */
import { AppError } from '@small-servers/shared/errors';

const MAX_TOLD = 20;

export class FailedFiles {
  readonly #warn: (line: string) => void;
  count = 0;

  constructor(warn: (line: string) => void) {
    this.#warn = warn;
  }

  add(name: string, error: Error): void {
    this.count += 1;
    if (this.count <= MAX_TOLD) this.#warn(`${name}: ${error.message}`);
    else if (this.count === MAX_TOLD + 1) this.#warn('more files failed; --json names them all');
  }
}

/** For `--json`: the code that docs/errors.md explains, and the sentence. */
export function errorFields(error: Error): { readonly code: string; readonly message: string } {
  return { code: error instanceof AppError ? error.code : 'INTERNAL', message: error.message };
}

/** An error with what it is about in front, and what else there is to know behind. */
export function about(subject: string, error: Error, more = ''): Error {
  if (!(error instanceof AppError)) return error;
  return new AppError(error.code, `${subject === '' ? '' : `${subject}: `}${error.message}${more}`, { cause: error });
}
