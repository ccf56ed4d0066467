/** Ways to find the lines that match, each without anything around it: which one is worth its code? */
import { closeSync, openSync, readSync } from 'node:fs';

const BLOCK_BYTES = 512 * 1024;
const LF = 0x0a;

/** Counts the matching lines of a block. Lines that cross blocks are lost to all of them alike. */
type Count = (block: Buffer) => number;

const ways: Readonly<Record<string, (pattern: string) => Count>> = {
  'read only': () => () => 0,

  'literal in the raw bytes': (pattern) => {
    const literal = Buffer.from(/^[\w":]+/.exec(pattern)?.[0] ?? '');
    const expression = new RegExp(pattern);
    return (block) => {
      let found = 0;
      for (let at = block.indexOf(literal); at >= 0; ) {
        const end = endOfLine(block, at);
        if (expression.test(block.toString('utf8', block.lastIndexOf(LF, at) + 1, end))) found += 1;
        at = block.indexOf(literal, end);
      }
      return found;
    };
  },

  'expression on the block as one text': (pattern) => {
    const expression = new RegExp(pattern, 'gm');
    return (block) => {
      const text = block.toString('latin1');
      let found = 0;
      for (expression.lastIndex = 0; expression.test(text); found += 1) {
        const end = text.indexOf('\n', expression.lastIndex - 1);
        if (end < 0) return found + 1;
        expression.lastIndex = end + 1;
      }
      return found;
    };
  },

  'line by line of the block as one text': (pattern) => {
    const expression = new RegExp(pattern);
    return (block) => {
      const text = block.toString('latin1');
      let found = 0;
      for (let start = 0; start < block.length; ) {
        const end = endOfLine(block, start);
        if (expression.test(text.slice(start, end))) found += 1;
        start = end + 1;
      }
      return found;
    };
  },

  'line by line, each decoded': (pattern) => {
    const expression = new RegExp(pattern);
    return (block) => {
      let found = 0;
      for (let start = 0; start < block.length; ) {
        const end = endOfLine(block, start);
        if (expression.test(block.toString('utf8', start, end))) found += 1;
        start = end + 1;
      }
      return found;
    };
  },

  'line by line, each parsed': (pattern) => {
    const expression = new RegExp(pattern);
    return (block) => {
      let found = 0;
      for (let start = 0; start < block.length; ) {
        const end = endOfLine(block, start);
        const text = block.toString('utf8', start, end);
        try {
          JSON.parse(text);
        } catch {
          // The halves of a line that crosses blocks.
        }
        if (expression.test(text)) found += 1;
        start = end + 1;
      }
      return found;
    };
  },
};

function endOfLine(block: Buffer, from: number): number {
  const end = block.indexOf(LF, from);
  return end < 0 ? block.length : end;
}

const patterns = ['"bytesIn":777,', '"durationMs":4999.*idle', '[0-9]{6}'];

export interface Way {
  readonly name: string;
  /** Best of all rounds, by pattern; NaN where the way does not apply. */
  readonly seconds: Readonly<Record<string, number>>;
}

export function strategies(path: string, rounds: number): readonly Way[] {
  return Object.entries(ways).map(([name, create]) => {
    const seconds = patterns.map((pattern) => {
      if (name.startsWith('literal') && !/^[\w":]/.test(pattern)) return [pattern, Number.NaN];
      const taken = Array.from({ length: rounds }, () => timeOnce(path, create(pattern)));
      return [pattern, Math.min(...taken)];
    });
    return { name, seconds: Object.fromEntries(seconds) as Record<string, number> };
  });
}

function timeOnce(path: string, count: Count): number {
  const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  const fd = openSync(path, 'r');
  const startMs = performance.now();
  for (let bytes = readSync(fd, buffer); bytes > 0; bytes = readSync(fd, buffer)) count(buffer.subarray(0, bytes));
  const seconds = (performance.now() - startMs) / 1000;
  closeSync(fd);
  return seconds;
}
