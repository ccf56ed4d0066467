/** An NTS association with one server: the keys, the cookies left, and requests made of them. */
import type { Request } from '../exchange.ts';
import { emptyHeader, encodeHeader } from '../packet.ts';
import { CookieJar } from './cookies.ts';
import { encodeNtsRequest, NONCE_BYTES, openNtsReply, UNIQUE_ID_BYTES } from './fields.ts';
import type { KeyMaterial } from './key-exchange.ts';

export type RandomBytes = (length: number) => Buffer;

export class NtsSession {
  readonly #keys: KeyMaterial;
  readonly #jar = new CookieJar();
  readonly #random: RandomBytes;

  constructor(keys: KeyMaterial, cookies: readonly Uint8Array[], random: RandomBytes) {
    this.#keys = keys;
    this.#random = random;
    this.#jar.add(cookies);
  }

  get cookies(): number {
    return this.#jar.size;
  }

  /** The next request, with a cookie that is used for it alone; `undefined` when none is left. */
  nextRequest(): Request | undefined {
    const cookie = this.#jar.take();
    if (cookie === undefined) return undefined;
    const origin = this.#random(8).readBigUInt64BE();
    const uniqueId = this.#random(UNIQUE_ID_BYTES);
    const bytes = encodeNtsRequest({
      header: encodeHeader({ ...emptyHeader, transmit: origin }),
      uniqueId,
      cookie,
      placeholders: this.#jar.missing(cookie.length),
      nonce: this.#random(NONCE_BYTES),
      key: this.#keys.clientToServer,
    });
    return {
      bytes,
      origin,
      checkNts: (reply, packet) => {
        const opened = openNtsReply(reply, packet, uniqueId, this.#keys.serverToClient);
        if (!opened.ok) return opened.problem;
        this.#jar.add(opened.cookies);
        return undefined;
      },
    };
  }
}
