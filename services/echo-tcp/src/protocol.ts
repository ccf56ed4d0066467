/**
 * Echo (RFC 862): every byte that arrives is sent back, in order. The bytes are transparent: 0x00 to
 * 0xFF, telnet's IAC included, mean nothing here. Two things beside it are decided here.
 */
import { escapeBytes } from '@small-servers/shared/daemon/escape';

/** The line a client sees first, ended in the Internet's manner; `undefined` for a plain echo. */
export function greetingLine(greeting: string): Buffer | undefined {
  return greeting === '' ? undefined : Buffer.from(`${greeting}\r\n`);
}

const PREVIEW_BYTES = 64;

/** What `--log-payload` shows of one read. */
export function payloadPreview(bytes: Uint8Array): string {
  return escapeBytes(bytes, PREVIEW_BYTES);
}
