import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountedPayloadDecoder, type PayloadSink } from '../../src/framing/counted-payload.ts';
import { bytes, chunksOf, codeOf, everySplit } from './support.ts';

/**
 * A small file server without files: `PUT n` takes a payload, `DROP n` refuses it, `CHUNKS` takes chunks of
 * `num LF bytes LF` up to `0 LF`, `TEXT` takes dot-stuffed lines up to a dot; every other line is a command of its own.
 * All its state is what it is waiting for: it has no buffer.
 */
class Receiver {
  readonly events: string[] = [];
  readonly session: CountedPayloadDecoder;
  #mode: 'command' | 'chunk size' | 'chunk end' | 'text' = 'command';
  #received = '';
  /** Whether the sink asks for a pause after each run of bytes. */
  readonly slowSink: boolean;
  readonly slowCommands: boolean;

  constructor(options: { slowSink?: boolean; slowCommands?: boolean; maxFrameBytes?: number } = {}) {
    this.slowSink = options.slowSink ?? false;
    this.slowCommands = options.slowCommands ?? false;
    this.session = new CountedPayloadDecoder({
      maxFrameBytes: options.maxFrameBytes ?? 100,
      onLine: (line) => this.#onLine(line.toString('latin1')),
    });
  }

  #sink(after: 'command' | 'chunk end'): PayloadSink {
    this.#received = '';
    return {
      write: (run) => {
        this.#received += run.toString('latin1');
        return !this.slowSink;
      },
      end: () => {
        this.events.push(`payload ${this.#received}`);
        this.#mode = after;
      },
    };
  }

  #onLine(line: string): void {
    const [verb, count] = line.split(' ');
    if (this.#mode === 'chunk size') this.#startChunk(line);
    else if (this.#mode === 'chunk end') this.#mode = line === '' ? 'chunk size' : 'command';
    else if (this.#mode === 'text') this.#takeText(line);
    else if (verb === 'PUT') this.session.payload(Number(count), this.#sink('command'));
    else if (verb === 'DROP') this.session.discard(Number(count));
    else if (verb === 'CHUNKS') this.#mode = 'chunk size';
    else if (verb === 'TEXT') this.#mode = 'text';
    else this.events.push(`line ${line}`);
    if (this.slowCommands) this.session.pause();
  }

  #startChunk(line: string): void {
    this.#mode = 'command';
    if (line === '0') this.events.push('chunks end');
    else this.session.payload(Number(line), this.#sink('chunk end'));
  }

  #takeText(line: string): void {
    if (line === '.') this.#mode = 'command';
    else this.events.push(`text ${line.startsWith('.') ? line.slice(1) : line}`);
  }

  /** Pushes all chunks, writing over each after its push, and resumes whenever the session has paused. */
  run(chunks: readonly Uint8Array[]): string[] {
    for (const chunk of chunks) {
      let welcome = this.session.push(chunk);
      chunk.fill(0xee);
      while (!welcome) welcome = this.session.resume();
    }
    this.session.end();
    while (!this.session.resume());
    return this.events;
  }
}

/** A sink that always takes more. */
function sinkOf(write: (run: Buffer) => void, end: () => void = () => {}): PayloadSink {
  return {
    write(run) {
      write(run);
      return true;
    },
    end,
  };
}

/** "PUT 3" takes the bytes "a LF b"; the line feed after them ends an empty line. */
const STREAM = bytes(
  'PING\r\nPUT 5\nhelloSTAT\nDROP 6\nQUIT\r\nPUT 0\nPUT 3\r\na\nb\nCHUNKS\n3\nabc\n2\nx\n\n0\nTEXT\n..one\n\n.\nPING\n',
);
const EVENTS = [
  'line PING',
  'payload hello',
  'line STAT',
  'payload ',
  'payload a\nb',
  'line ',
  'payload abc',
  'payload x\n',
  'chunks end',
  'text .one',
  'text ',
  'line PING',
];

describe('counted payload', () => {
  it('leaves the CR to the receiver when asked to, and counts it', () => {
    const seen: string[] = [];
    const options = { keepCr: true, maxFrameBytes: 3, onLine: (line: Buffer) => void seen.push(line.toString()) };
    const input = Buffer.from('ab\r\nabc\na\rb\n\r\n');
    for (let at = 0; at <= input.length; at += 1) {
      seen.length = 0;
      const session = new CountedPayloadDecoder(options);
      session.push(input.subarray(0, at));
      session.push(input.subarray(at));
      expect(seen).toEqual(['ab\r', 'abc', 'a\rb', '\r']);
    }
    const session = new CountedPayloadDecoder(options);
    expect(codeOf(() => session.push(Buffer.from('abc\r\n')))).toBe('FRAME_TOO_LONG');
  });

  it('lets a receiver take lines and payloads as they stand, wherever a line begins, at every split', () => {
    const input = Buffer.from('PUT 3\nabcPING\nPUT 3\na\ncQUIT\nPUT 2\nxyPUT 3\ndef');
    const whole = /PUT 3\n.{3}/sy;
    const asked = new Set<number>();
    for (const split of everySplit(input.length)) {
      const events: string[] = [];
      let pushed = 0;
      const session = new CountedPayloadDecoder({
        takeAhead: (chunk, offset) => {
          asked.add(pushed + offset);
          whole.lastIndex = offset;
          const [found] = whole.exec(chunk.toString('latin1')) ?? [''];
          if (found !== '') events.push(found.slice(6));
          return offset + found.length;
        },
        onLine: (line) => {
          const [verb, count] = line.toString().split(' ');
          if (verb === 'PUT')
            session.payload(
              Number(count),
              sinkOf((run) => events.push(run.toString())),
            );
          else events.push(line.toString());
        },
      });
      for (const chunk of chunksOf(input, split)) {
        session.push(chunk);
        pushed += chunk.length;
      }
      session.end();
      expect(events.join('')).toBe('abcPINGa\ncQUITxydef');
    }
    // Never in the middle of a line or of a payload.
    expect([...asked].toSorted((a, b) => a - b)).toEqual([0, 9, 14, 23, 28, 36]);
  });

  it.each([
    ['handled at once', {}],
    ['whose sink pauses after every run', { slowSink: true }],
    ['whose every line pauses', { slowCommands: true }],
    ['that pauses for both', { slowSink: true, slowCommands: true }],
  ])('tells lines from payloads at every split, in a session %s', (_how, options) => {
    for (const split of everySplit(STREAM.length)) {
      expect(new Receiver(options).run(chunksOf(STREAM, split))).toEqual(EVENTS);
    }
  });

  it('does the same for any session, split at random', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', '\r', '0', 'P'), maxLength: 20 });
    const step = fc.oneof(
      text.map((payload) => ({ wire: `PUT ${payload.length}\n${payload}`, event: [`payload ${payload}`] })),
      text.map((payload) => ({ wire: `DROP ${payload.length}\r\n${payload}`, event: [] as string[] })),
      fc.constant({ wire: 'PING\n', event: ['line PING'] }),
    );
    const split = fc.array(fc.nat(300), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), split, fc.boolean(), fc.boolean(), (steps, cuts, sink, line) => {
        const stream = bytes(steps.map(({ wire }) => wire).join(''));
        const receiver = new Receiver({ slowSink: sink, slowCommands: line });
        expect(receiver.run(chunksOf(stream, cuts))).toEqual(steps.flatMap(({ event }) => event));
        expect(receiver.session.finished).toBe(true);
        expect(receiver.session.bufferedBytes).toBe(0);
      }),
      { seed: 20_261_120, numRuns: 300 },
    );
  });

  it('reports a stream that is cut inside a line or a payload, at every byte', () => {
    const stream = bytes('PUT 5\nhelloDROP 2\nxxPING\n');
    const borders = [0, 11, 20, 25];
    for (let length = 0; length < stream.length; length++) {
      const cut = (): unknown => new Receiver().run([stream.subarray(0, length)].map((part) => Uint8Array.from(part)));
      if (borders.includes(length)) expect(cut).not.toThrow();
      else expect(codeOf(cut)).toBe('FRAME_TRUNCATED');
    }
  });

  it('reports a cut stream from end itself, if it is not paused', () => {
    const line = new CountedPayloadDecoder({ onLine: () => {} });
    line.push(bytes('PI'));
    expect(codeOf(() => line.end())).toBe('FRAME_TRUNCATED');
    const payload = new CountedPayloadDecoder({ onLine: () => payload.discard(5) });
    payload.push(bytes('DROP 5\nab'));
    expect(() => payload.end()).toThrow('after 1 lines: the stream ended 3 bytes before its payload did');
  });

  it('does not end a payload that its sink refused with the last byte', () => {
    const seen: string[] = [];
    const sink = sinkOf(
      () => session.refuse(),
      () => seen.push('end'),
    );
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        if (line.toString() === 'PUT 2') session.payload(2, sink);
        else seen.push(line.toString());
      },
    });
    session.push(bytes('PUT 2\nabPING\n'));
    expect(seen).toEqual(['PING']);
  });

  it('hands payload bytes on as they arrive and holds none of them', () => {
    const receiver = new Receiver();
    const runs: number[] = [];
    const sink = sinkOf(
      (run) => runs.push(run.length),
      () => runs.push(-1),
    );
    const session = new CountedPayloadDecoder({ onLine: () => session.payload(2 ** 40, sink) });
    session.push(bytes('PUT\nabc'));
    session.push(new Uint8Array(65_536));
    expect(runs).toEqual([3, 65_536]);
    expect(session.bufferedBytes).toBe(0);
    expect(session.payloadRemaining).toBe(2 ** 40 - 65_539);
    expect(receiver.events).toEqual([]);
  });

  it('gives the sink a view of the chunk, not a copy', () => {
    const chunk = bytes('PUT\nabc');
    let seen: Buffer | undefined;
    const sink = {
      write: (run: Buffer) => {
        seen = run;
        return true;
      },
      end: () => {},
    };
    const session = new CountedPayloadDecoder({ onLine: () => session.payload(3, sink) });
    session.push(chunk);
    expect(seen?.buffer).toBe(chunk.buffer);
  });

  it('consumes the rest of a payload that is refused half-way, and reads none of it as a command', () => {
    const lines: string[] = [];
    const written: string[] = [];
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        if (!line.toString().startsWith('PUT')) lines.push(line.toString());
        else session.payload(10, sink);
      },
    });
    const sink: PayloadSink = {
      write: (run) => {
        written.push(run.toString());
        expect(session.refuse()).toBe(6);
        return true;
      },
      end: () => written.push('end'),
    };
    session.push(bytes('PUT\n1234'));
    session.push(bytes('QUIT\n0PING\n'));
    expect(lines).toEqual(['PING']);
    expect(written).toEqual(['1234']);
  });

  it('waits, once paused, with the rest of the chunk put aside, for an answer that takes time', () => {
    const seen: string[] = [];
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        seen.push(line.toString());
        session.pause();
      },
    });
    const chunk = bytes('PUT 5\nhelloPING\nlast\n');
    expect(session.push(chunk)).toBe(false);
    chunk.fill(0xee);
    expect(session.push(bytes('later\n'))).toBe(false);
    expect(seen).toEqual(['PUT 5']);
    expect(session.bufferedBytes).toBe(chunk.length - 6 + 6);

    // The file is open now: the payload that came along with its line is announced only here.
    const sink = sinkOf(
      (run) => seen.push(run.toString()),
      () => seen.push('end'),
    );
    session.payload(5, sink);
    expect(session.resume()).toBe(false);
    expect(seen).toEqual(['PUT 5', 'hello', 'end', 'PING']);
    session.end();
    expect(session.finished).toBe(false);
    expect(session.resume()).toBe(false);
    expect(session.resume()).toBe(false);
    expect(session.resume()).toBe(true);
    expect(seen).toEqual(['PUT 5', 'hello', 'end', 'PING', 'last', 'later']);
    expect(session.finished).toBe(true);
  });

  it('stops in the middle of a chunk when a sink takes no more, and goes on at the very byte', () => {
    const seen: string[] = [];
    const sink: PayloadSink = {
      write(run) {
        seen.push(run.toString());
        return false;
      },
      end: () => seen.push('end'),
    };
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        if (line.toString() === 'PUT 5') session.payload(5, sink);
        else seen.push(line.toString());
      },
    });
    expect(session.push(bytes('PUT 5\nhe'))).toBe(false);
    expect(session.push(bytes('lloPING\n'))).toBe(false);
    expect(seen).toEqual(['he']);
    expect(session.resume()).toBe(false);
    expect(seen).toEqual(['he', 'llo', 'end']);
    expect(session.resume()).toBe(true);
    expect(seen).toEqual(['he', 'llo', 'end', 'PING']);
  });

  it('notes an end while paused, and reports a payload that then never comes when it is resumed', () => {
    const session = new CountedPayloadDecoder({ onLine: () => session.pause() });
    session.push(bytes('PUT 5\n'));
    session.end();
    session.discard(5);
    expect(codeOf(() => session.resume())).toBe('FRAME_TRUNCATED');
    expect(session.failure).toMatchObject({ code: 'FRAME_TRUNCATED' });
  });

  it('goes on at once if what paused it resumes it in the same call', () => {
    const seen: string[] = [];
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        seen.push(line.toString());
        session.pause();
        session.resume();
      },
    });
    expect(session.push(bytes('a\nb\nc\n'))).toBe(true);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('delivers the lines before one that is too long, then fails and stays failed', () => {
    for (const split of everySplit(12)) {
      const receiver = new Receiver({ maxFrameBytes: 4 });
      expect(codeOf(() => receiver.run(chunksOf(bytes('a\nbb\r\nccccc\n'), split)))).toBe('FRAME_TOO_LONG');
      expect(receiver.events).toEqual(['line a', 'line bb']);
      expect(() => receiver.session.push(bytes('PING\n'))).toThrow(
        'after 2 lines: it is longer than the 4 bytes allowed',
      );
      expect(() => receiver.session.resume()).toThrow(receiver.session.failure);
      expect(receiver.session.bufferedBytes).toBe(0);
    }
  });

  it('bounds what it puts aside, and says who did not pause', () => {
    const session = new CountedPayloadDecoder({ onLine: () => session.pause(), maxBacklogBytes: 10 });
    session.push(bytes('a\n12345\n'));
    expect(() => session.push(bytes('12345'))).toThrow('the source was not paused');
    expect(session.failure?.code).toBe('FRAMING_MISUSE');
  });

  it('passes on what a receiver throws, and stays failed', () => {
    const fault = new Error('the disk is full');
    const session = new CountedPayloadDecoder({
      onLine: () => {
        throw fault;
      },
    });
    expect(() => session.push(bytes('a\nb\n'))).toThrow(fault);
    expect(() => session.push(bytes('c\n'))).toThrow('a receiver threw an error');
    expect(session.failure?.cause).toBe(fault);
  });

  it('refuses calls out of order', () => {
    const inside = new CountedPayloadDecoder({ onLine: () => inside.push(bytes('x')) });
    expect(codeOf(() => inside.push(bytes('a\n')))).toBe('FRAMING_MISUSE');
    const session = new CountedPayloadDecoder({ onLine: () => session.discard(5) });
    session.push(bytes('a\n1'));
    expect(() => session.discard(1)).toThrow('with 4 bytes still to come');
    for (const length of [-1, 0.5, 2 ** 53]) expect(codeOf(() => session.discard(length))).toBe('FRAMING_MISUSE');
    session.push(bytes('2345'));
    session.end();
    expect(codeOf(() => session.push(bytes('x')))).toBe('FRAMING_MISUSE');
    expect(codeOf(() => new CountedPayloadDecoder({ onLine: () => {}, maxBacklogBytes: -1 }))).toBe('FRAMING_OPTION');
  });

  it.each(['ab\n', 'ab\r\n'])(
    'shows the receiver of %j what follows, if all of it is here, and takes nothing',
    (line) => {
      const input = `${line}12345c\n`;
      for (const split of everySplit(input.length)) {
        const seen: (string | undefined)[] = [];
        const session = new CountedPayloadDecoder({
          onLine: (text) => {
            seen.push(text.toString(), ...[0, 5, 8].map((length) => session.peek(length)?.toString()));
            if (text.toString() !== 'ab') return;
            session.discard(5);
            // A payload that is announced is no longer what follows the line.
            expect(session.peek(5)).toBeUndefined();
          },
        });
        const chunks = chunksOf(bytes(input), split);
        for (const chunk of chunks) session.push(chunk);
        const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = chunks;
        const whole = first.length >= line.length ? first : first.length === 0 ? second : Buffer.alloc(0);
        const shown = (length: number) =>
          whole.length >= line.length + length ? '12345c\n'.slice(0, length) : undefined;
        expect(seen.slice(0, 4)).toEqual(['ab', shown(0), shown(5), undefined]);
        expect(seen[4]).toBe('c');
        expect(session.peek(0)).toBeUndefined();
      }
    },
  );

  it('shows what follows also when it was put aside', () => {
    const seen: unknown[] = [];
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        seen.push(line.toString(), session.peek(2)?.toString());
        if (line.toString() === 'a') session.pause();
        else session.discard(2);
      },
    });
    session.push(bytes('a\nb\nxy'));
    session.resume();
    expect(seen).toEqual(['a', 'b\n', 'b', 'xy']);
    session.push(bytes('c\n'));
    expect(seen.slice(4)).toEqual(['c', undefined]);
  });

  it('lets the end of one payload announce the next', () => {
    const seen: string[] = [];
    const sink = sinkOf(
      (run) => seen.push(run.toString()),
      () => {
        if (seen.length < 3) session.payload(2, sink);
      },
    );
    const session = new CountedPayloadDecoder({
      onLine: (line) => {
        if (line.toString() === 'go') session.payload(2, sink);
        else seen.push(line.toString());
      },
    });
    session.push(bytes('go\naabbccok\n'));
    expect(seen).toEqual(['aa', 'bb', 'cc', 'ok']);
  });
});
