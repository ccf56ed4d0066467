/** The whole line with its terminator, of a command. */
export const MAX_LINE_BYTES = 4096;
