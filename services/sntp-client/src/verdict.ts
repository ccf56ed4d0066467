/** Outcomes in words: one for tables and records, a sentence for people. */
import { rejectionReasons } from './acceptance.ts';
import { keyExchangeProblems } from './nts/records.ts';
import type { Outcome } from './probe.ts';

/** `result` of a `poll` record. */
export const pollResults = {
  accepted: 'a measurement',
  kiss: 'the server asked us to ask less (RATE) or not at all (DENY, RSTR)',
  unsynchronised: 'the server says that its clock is not set',
  rejected: 'an answer that failed a check; `reason` names it',
  'timed-out': 'no answer',
  refused: 'nothing listens there, or a firewall says so',
  unreachable: 'no way there; nothing was sent',
  unresolved: 'the name has no address now; nothing was sent',
  'key-exchange-failed': 'NTS keys could not be had; `reason` says why, and nothing was asked without them',
} as const;
export type PollResult = keyof typeof pollResults;

export interface Verdict {
  readonly result: PollResult;
  /** A named reason, a kiss code or the system's word. */
  readonly reason?: string;
  /** For people; empty when `result` says it all. */
  readonly detail: string;
}

export function verdictOf(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'sample':
      return { result: 'accepted', detail: '' };
    case 'kiss':
      return { result: 'kiss', reason: outcome.code, detail: outcome.authenticated ? 'authenticated' : '' };
    case 'rejected': {
      const detail = rejectionReasons[outcome.reason];
      if (outcome.reason === 'unsynchronised') return { result: 'unsynchronised', detail };
      return { result: 'rejected', reason: outcome.reason, detail };
    }
    case 'unreachable':
      return { result: 'unreachable', reason: outcome.code, detail: '' };
    case 'unresolved':
      return { result: 'unresolved', reason: outcome.code, detail: 'the name has no address now' };
    case 'key-exchange-failed': {
      const detail = `${keyExchangeProblems[outcome.problem]}${outcome.detail && ` (${outcome.detail})`}`;
      return { result: 'key-exchange-failed', reason: outcome.problem, detail };
    }
    default:
      return { result: outcome.kind, detail: '' };
  }
}

/** `kiss RATE`, `rejected: zero-time`, `timed out`. */
export function verdictWords({ result, reason }: Verdict): string {
  const words = result.replaceAll('-', ' ');
  if (reason === undefined) return words;
  return result === 'kiss' ? `${words} ${reason}` : `${words}: ${reason}`;
}
