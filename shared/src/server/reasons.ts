/** Why a connection ended or was refused: closed unions, counted by name, documented in docs/operations.md. */

export const closeReasons = {
  'peer-closed': 'the peer ended it and everything was delivered',
  'server-closed': 'the service ended it after its last byte',
  idle: 'no byte in either direction for --idle-timeout',
  lifetime: 'open for --max-lifetime',
  reset: 'the peer or the network reset it',
  'timed-out': 'the network stopped answering (keep-alive or retransmission gave up)',
  'write-stalled': 'the peer took no byte of what waits for it for --idle-timeout',
  'too-slow': 'it moved less than --min-rate; by default only when its place was needed',
  'protocol-error': 'the peer broke the protocol',
  stalled: 'a transfer moved nothing for --stall-timeout',
  'no-command': 'no whole command came within --first-command-timeout',
  'not-authenticated': 'no valid token came within --auth-timeout, or too many wrong ones did',
  'file-limit': 'it had --max-files-per-connection',
  'cut-short': 'what was promised could not be sent: the file shrank, or could not be read',
  superseded: 'another connection resumed its upload',
  'internal-error': 'the service failed on this connection; the record before it says how',
  drained: 'the server stops and nothing was in flight',
  'drain-deadline': 'the server stops and --drain-timeout was over',
} as const;
export type CloseReason = keyof typeof closeReasons;

export const refusalReasons = {
  denied: 'the address is not let in by --allow and --deny',
  'max-connections': '--max-connections are open',
  'max-connections-per-source': 'the address has --max-connections-per-source open',
  'fd-limit': 'the limit of open files (ulimit -n) leaves no room for more',
} as const;
export type RefusalReason = keyof typeof refusalReasons;
