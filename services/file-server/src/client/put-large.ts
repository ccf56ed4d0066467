/**
 * A large file: read ahead while it is sent, hashed on the way, and held against the digest that the server computed
 * of what it stored. What is cut goes on where the server has it, in this run or, by a note, in another.
 */
import { closeSync, read } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '@small-servers/shared/errors';
import type { Connection } from './connection.ts';
import { corrupted, NotReached, Refusal, violation } from './failures.ts';
import { changedMeanwhile, checkUnchanged, type LocalFile, openLocalFile } from './local-file.ts';
import { PayloadRequest, type SendReply, type Stored } from './payload-request.ts';
import type { PutOutcome, PutPlan, PutPolicy } from './put-plan.ts';
import { isTaken, isThereAlready, otherContent } from './there-already.ts';
import { UploadDigest } from './upload-digest.ts';
import type { UploadKey } from './upload-notes.ts';

const readAt = promisify(read);
const CHUNK_BYTES = 1024 * 1024;

export class LargePut {
  readonly #plan: PutPlan;
  readonly #policy: PutPolicy;
  readonly #key: UploadKey;
  #file: LocalFile | undefined;
  #digest: UploadDigest;
  #id: string | undefined;
  #sha256: string | undefined;
  /** There is something of this name. */
  #isTaken = false;
  /** Where the server has it. */
  #offset = 0;
  /** Counted by `onBytes`. */
  #countedBytes = 0;
  resumedBytes = 0;

  constructor(plan: PutPlan, policy: PutPolicy) {
    this.#plan = plan;
    this.#policy = policy;
    this.#digest = new UploadDigest(policy.makeDigest);
    this.#key = {
      target: policy.target,
      remotePath: plan.path.text,
      localPath: resolve(plan.localPath.toString('latin1')),
    };
  }

  get movedBytes(): number {
    return this.#offset - this.resumedBytes;
  }

  /** Another run goes on where this one was cut. */
  get isResumable(): boolean {
    return this.#id !== undefined && this.#offset > 0;
  }

  /** @throws AppError LOCAL_FILE_FAILED, Refusal, and what ends the connection */
  async run(connection: Connection): Promise<{ outcome: PutOutcome; etag?: string }> {
    const file = this.#open();
    const { existing, signal } = this.#policy;
    if (this.#isTaken) return this.#settle(connection, file);
    if (this.#policy.digestFirst) this.#sha256 ??= await this.#digestOf(file);
    try {
      const stored = (await this.#resume(connection, file)) ?? (await this.#begin(connection, file));
      this.#policy.notes.remove(this.#key);
      this.#id = undefined;
      await this.#compare(connection, stored);
      return { outcome: 'stored', etag: stored.etag };
    } catch (error) {
      if (signal.aborted || !isTaken(error)) throw error;
      this.#policy.notes.remove(this.#key);
      this.#id = undefined;
      if (existing === 'keep') return { outcome: 'kept' };
      // This connection ended with the refusal: what is there is asked on another one.
      this.#isTaken = true;
      throw new NotReached(error as Error);
    }
  }

  /** There is something of this name: the same content is as good as stored. */
  async #settle(connection: Connection, file: LocalFile): Promise<{ outcome: PutOutcome }> {
    const { sizeBytes } = file.identity;
    const isSame = await isThereAlready(connection, this.#plan.path, sizeBytes, () => this.#digestOf(file));
    if (!isSame) throw otherContent();
    return { outcome: 'same' };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.descriptor);
    this.#file = undefined;
  }

  #open(): LocalFile {
    if (this.#file !== undefined) {
      checkUnchanged(this.#file);
      return this.#file;
    }
    this.#file = openLocalFile(this.#plan.localPath, this.#plan.followLinks);
    const note = this.#policy.notes.load(this.#key, this.#file.identity);
    this.#id = note?.id;
    this.#digest = new UploadDigest(this.#policy.makeDigest, note?.digests);
    return this.#file;
  }

  /** Goes on with what the server has; `undefined` when it has nothing. */
  async #resume(connection: Connection, file: LocalFile): Promise<Stored | undefined> {
    if (this.#id === undefined) return undefined;
    const request = new PayloadRequest();
    connection.startStream(`RESUME ${this.#id}`, request);
    try {
      const send = await request.sent;
      if (this.#countedBytes === 0) this.resumedBytes = send.offset;
      return await this.#transfer(connection, file, request, send);
    } catch (error) {
      // Given up there, or stored while we were cut off: a new PUT finds out which.
      const isGone = error instanceof Refusal && error.refusal === 'NOTFOUND';
      if (!isGone) throw error;
      this.#id = undefined;
      return undefined;
    } finally {
      connection.endStream();
    }
  }

  async #begin(connection: Connection, file: LocalFile): Promise<Stored> {
    const { path } = this.#plan;
    const request = new PayloadRequest();
    const wanted = this.#policy.existing === 'replace' ? 'any' : 'none';
    const digest = this.#sha256 === undefined ? '' : ` sha256=${this.#sha256}`;
    connection.startStream(`PUT ${path.text} ${file.identity.sizeBytes} if=${wanted}${digest}`, request);
    try {
      const send = await request.sent;
      if (send.offset !== 0) throw violation(connection.target, 'an upload that begins in its middle');
      return await this.#transfer(connection, file, request, send);
    } catch (error) {
      // The server still takes what follows the line for its payload: no other request may.
      if (request.refusal !== undefined) connection.destroy(cutByUs(connection));
      throw error;
    } finally {
      connection.endStream();
    }
  }

  async #transfer(
    connection: Connection,
    file: LocalFile,
    request: PayloadRequest,
    { offset, id }: SendReply,
  ): Promise<Stored> {
    if (offset > file.identity.sizeBytes) throw violation(connection.target, 'more of an upload than was sent');
    this.#policy.onBytes(offset - this.#countedBytes);
    this.#countedBytes = offset;
    this.#offset = offset;
    try {
      await this.#digest.moveTo(file.descriptor, offset, this.#policy.signal);
      if (id !== undefined && /^[0-9a-f]{32}$/.test(id)) this.#note(id, file);
      await this.#send(connection, file, request);
    } catch (error) {
      // In the middle of a payload nothing else can be said: the server keeps what it has.
      connection.destroy(cutByUs(connection));
      throw request.refusal ?? error;
    }
    return request.stored;
  }

  /** One chunk is read while the one before it is sent. */
  async #send(connection: Connection, file: LocalFile, request: PayloadRequest): Promise<void> {
    const { descriptor, identity } = file;
    const end = identity.sizeBytes;
    const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, end - this.#offset))));
    let next = this.#read(descriptor, buffers[0] as Buffer, this.#offset, end);
    for (let turn = 1; this.#offset < end; turn++) {
      const bytes = await next;
      if (request.refusal !== undefined) throw request.refusal;
      const after = this.#offset + bytes.length;
      next = this.#read(descriptor, buffers[turn % 2] as Buffer, after, end);
      // The last bytes complete it over there: they are not sent of a file that is another one by now.
      if (after === end) checkUnchanged(file);
      const written = connection.write(bytes);
      if (this.#digest.update(bytes) && this.#id !== undefined) this.#note(this.#id, file);
      await written;
      this.#offset = after;
      this.#policy.onBytes(bytes.length);
      this.#countedBytes += bytes.length;
    }
    await next;
    request.workBytes = end;
  }

  async #read(descriptor: number, buffer: Buffer, offset: number, end: number): Promise<Buffer> {
    const wanted = Math.min(buffer.length, end - offset);
    if (wanted === 0) return buffer.subarray(0, 0);
    const { bytesRead } = await readAt(descriptor, buffer, 0, wanted, offset);
    if (bytesRead === 0) throw changedMeanwhile();
    return buffer.subarray(0, bytesRead);
  }

  /** The server's digest is of what it stored: if it is another one, what it stored is not the file. */
  async #compare(connection: Connection, { sizeBytes, sha256, etag }: Stored): Promise<void> {
    const { identity } = this.#file as LocalFile;
    const ours = this.#digest.finish();
    if (sizeBytes === identity.sizeBytes && (sha256 === undefined || sha256 === ours)) return;
    await connection.ask(`DEL ${this.#plan.path.text} if=${etag}`).catch(() => {});
    throw corrupted(`the server stored ${sizeBytes} bytes with the sha256 ${sha256}; here it is ${ours}`);
  }

  async #digestOf({ descriptor, identity }: LocalFile): Promise<string> {
    const digest = new UploadDigest(this.#policy.makeDigest);
    await digest.moveTo(descriptor, identity.sizeBytes, this.#policy.signal);
    return digest.finish();
  }

  #note(id: string, { identity }: LocalFile): void {
    this.#id = id;
    try {
      this.#policy.notes.save(this.#key, { id, identity, digests: this.#digest.states });
    } catch {
      // Then this upload can't be gone on with by another run; this one goes on.
    }
  }
}

function cutByUs(connection: Connection): AppError {
  return new AppError('CONNECTION_LOST', `${connection.target}: the upload was given up`);
}
