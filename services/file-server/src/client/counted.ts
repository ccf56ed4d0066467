/** Numbers of things, as a sentence has them. */
import type { FilePath } from '../protocol/path.ts';
import { displayPath } from './display-name.ts';

/** As many are named; `--json` has a record of each. */
const MAX_NAMED = 3;

/** `1 file`, `2 files`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** Links and special files, which no folder takes along. */
export class LeftOut {
  readonly #named: string[] = [];
  #count = 0;

  add(path: FilePath): void {
    this.#count += 1;
    if (this.#named.length < MAX_NAMED) this.#named.push(displayPath(path));
  }

  /** `5 links and special files left out: a, b/c, d and 2 more, which --json names`; empty when there are none. */
  get words(): string {
    if (this.#count === 0) return '';
    const more = this.#count - this.#named.length;
    const others = more === 0 ? '' : ` and ${more} more, which --json names`;
    const what = counted(this.#count, 'link or special file', 'links and special files');
    return `${what} left out: ${this.#named.join(', ')}${others}`;
  }
}
