/** A peer that cannot take part. The reason is printed in its row: a missing peer is named, never left out. */
export class PeerMissing extends Error {
  override readonly name = 'PeerMissing';
}

/** What went wrong as one line: the reason of a missing peer, the message of anything else. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n')[0] ?? '';
}
