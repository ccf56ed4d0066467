/**
 * SHA-256 (FIPS 180-4) whose state can be put away and taken up again, also by another process: an upload that is
 * resumed is not read from its beginning. Node's own hash objects cannot do that; docs/decisions/0703-digest-state.md.
 *
 * OpenSSL's functions of the running process where they can be called, else `sha256-portable.ts`. Both keep the same
 * state, so that one goes on where the other stopped.
 */
import { createHash } from 'node:crypto';
import { openNative } from '@small-servers/shared/native/linux';
import { BLOCK_BYTES, type DigestMaker, type DigestState, isDigestState } from './running-digest.ts';
import { portableSha256 } from './sha256-portable.ts';

const SIGNATURES = {
  SHA256_Init: { arguments: ['buffer'], return: 'i32' },
  SHA256_Update: { arguments: ['buffer', 'buffer', 'u64'], return: 'i32' },
  SHA256_Final: { arguments: ['buffer', 'buffer'], return: 'i32' },
} as const;

/**
 * OpenSSL's SHA256_CTX: 112 bytes, all numbers in the order of the machine.
 *
 *   bytes 0-31    h[8], the words
 *   bytes 32-39   Nl, Nh: the count in bits, low half first
 *   bytes 40-103  data: the block that is not full yet
 *   bytes 104-107 num: bytes in it
 *   bytes 108-111 md_len: 32
 *
 * x64 and arm64, the two that native calls are made on, are both little-endian.
 */
const CONTEXT = { words: 0, bits: 32, data: 40, num: 104 } as const;
/** Room to spare, should a version of OpenSSL keep more. */
const CONTEXT_ROOM = 256;

function nativeSha256(host: Parameters<typeof openNative>[0]): DigestMaker | undefined {
  const native = openNative(host, SIGNATURES);
  if (!native.available) return undefined;
  const { SHA256_Init, SHA256_Update, SHA256_Final } = native.functions;
  return (from) => {
    const context = Buffer.alloc(CONTEXT_ROOM);
    SHA256_Init(context);
    if (from !== undefined) load(context, from);
    return {
      update: (bytes) => {
        if (bytes.length > 0) SHA256_Update(context, bytes, BigInt(bytes.length));
      },
      save: () => saved(context),
      finish() {
        const digest = Buffer.alloc(32);
        SHA256_Final(digest, context);
        return digest.toString('hex');
      },
    };
  };
}

function load(context: Buffer, { words, totalBytes, tail }: DigestState): void {
  for (let word = 0; word < 8; word++) {
    context.writeUInt32LE(Number.parseInt(words.slice(8 * word, 8 * word + 8), 16), CONTEXT.words + 4 * word);
  }
  context.writeBigUInt64LE(BigInt(totalBytes) * 8n, CONTEXT.bits);
  context.write(tail, CONTEXT.data, 'hex');
  context.writeUInt32LE(totalBytes % BLOCK_BYTES, CONTEXT.num);
}

function saved(context: Buffer): DigestState {
  let words = '';
  for (let word = 0; word < 8; word++) {
    words += context
      .readUInt32LE(CONTEXT.words + 4 * word)
      .toString(16)
      .padStart(8, '0');
  }
  const tailBytes = context.readUInt32LE(CONTEXT.num);
  return {
    words,
    totalBytes: Number(context.readBigUInt64LE(CONTEXT.bits) / 8n),
    tail: context.toString('hex', CONTEXT.data, CONTEXT.data + tailBytes),
  };
}

/** A digest put away and taken up in mid-block must come out as Node's own. */
export function isSound(maker: DigestMaker): boolean {
  const bytes = Buffer.alloc(3 * BLOCK_BYTES + 11, 0x5a);
  const first = maker();
  first.update(bytes.subarray(0, 100));
  const state = first.save();
  if (!isDigestState(state)) return false;
  const second = maker(state);
  second.update(bytes.subarray(100));
  return second.finish() === createHash('sha256').update(bytes).digest('hex');
}

/** The fastest that is right on this machine: a state in another layout than ours is noticed here, not in a file. */
export function chooseSha256(host: Parameters<typeof openNative>[0]): { maker: DigestMaker; native: boolean } {
  const maker = nativeSha256(host);
  if (maker !== undefined && isSound(maker)) return { maker, native: true };
  return { maker: portableSha256, native: false };
}
