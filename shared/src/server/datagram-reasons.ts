/** Why a datagram got no answer: a closed union, counted by name, documented in docs/operations.md. */
export const dropReasons = {
  'source-port-zero': 'it came from port 0, where no answer can be sent to',
  'loop-guard': 'an answer could start or keep up a loop between two servers',
  'bad-source': 'its source is a multicast, broadcast or unspecified address, which is no sender',
  denied: 'the access lists (--allow, --deny) do not let the source in',
  'too-many-sources': '--max-sources are known and none of them may be forgotten yet',
  'rate-limited': 'the source sent more than --rate-per-source',
  'send-failed': 'the system did not take the answer (no route, a firewall, no room)',
} as const;
export type DropReason = keyof typeof dropReasons;

export const dropReasonNames = Object.keys(dropReasons) as readonly DropReason[];
