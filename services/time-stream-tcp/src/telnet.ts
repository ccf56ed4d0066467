/** What of telnet (RFC 854) concerns a server that it merely connects to. Pure. */

const [INTERPRET_AS_COMMAND, INTERRUPT_PROCESS] = [0xff, 0xf4];

export const INTERRUPT_BYTES = 2;

/**
 * Whether Ctrl-C was typed into telnet. No line end follows, and telnet shows nothing more that a server sends until it
 * confirms; so to end the connection is what a person expects of it.
 */
export function isInterrupt(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= INTERRUPT_BYTES && bytes[start] === INTERPRET_AS_COMMAND && bytes[start + 1] === INTERRUPT_PROCESS
  );
}
