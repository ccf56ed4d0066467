/** Standard output for any amount of text: in large pieces, at the reader's pace. */
import { once } from 'node:events';

const PIECE_CHARACTERS = 64 * 1024;

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #pending: string[] = [];
  #pendingCharacters = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
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
