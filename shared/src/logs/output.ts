/** Standard output for any amount of text: in large pieces, at the reader's pace. */
import { once } from 'node:events';
import { systemCode } from '../errors.ts';

const PIECE_CHARACTERS = 64 * 1024;

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #pending: string[] = [];
  #pendingCharacters = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // The reader has seen enough (`| head`): that is the end of our work, not an error.
    stream.on('error', (error) => {
      if (systemCode(error) === 'EPIPE') process.exit(0);
      throw error;
    });
  }

  /** Resolves when more may be written. */
  async write(text: string): Promise<void> {
    this.#pending.push(text);
    this.#pendingCharacters += text.length;
    if (this.#pendingCharacters >= PIECE_CHARACTERS) await this.flush();
  }

  /** What may not be changed until the next call has been resolved. */
  async writeBytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    if (bytes.length > 0 && !this.#stream.write(bytes)) await once(this.#stream, 'drain');
  }

  async flush(): Promise<void> {
    const text = this.#pending.join('');
    this.#pending = [];
    this.#pendingCharacters = 0;
    if (text !== '' && !this.#stream.write(text)) await once(this.#stream, 'drain');
  }
}
