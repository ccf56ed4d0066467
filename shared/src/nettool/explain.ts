/** `nettool explain`: what an error means, which call returns it, and who can mend it. */
import { getSystemErrorMap } from 'node:util';
import { nearestName } from '../config/nearest.ts';
import { didYouMean, quote } from '../config/problems.ts';
import { type ErrorCode, errorKinds } from '../errors.ts';
import { explanations, synonyms, systemErrorOf } from './error-table.ts';
import { labelled } from './format.ts';
import { type Answer, operandProblem, type Refusal, type Verb } from './verb.ts';

export const explain: Verb<Record<string, never>> = {
  name: 'explain',
  describe: 'what an error means, which call returns it, who can mend it',
  operands: ['ERRNO|CODE'],
  settings: {},
  switches: {},
  examples: [
    ['nettool explain ECONNREFUSED', 'by name'],
    ['nettool explain 111', 'by number, as this system counts'],
  ],
  answer: ({ operands: [text = ''] }) => explainText(text),
};

/** Numbers and names of this system's errors; libuv counts them negative, the kernel positive. */
function systemErrors(): readonly { number: number; name: string; message: string }[] {
  return [...getSystemErrorMap()].map(([number, [name, message]]) => ({ number: -number, name, message }));
}

function explainText(text: string): Answer | Refusal {
  const errors = systemErrors();
  const asNumber = /^-?\d{1,5}$/.test(text) ? Math.abs(Number(text)) : undefined;
  const asName = text.toUpperCase();
  const byNumber = errors.find(({ number }) => number === asNumber);
  const ownCode = Object.hasOwn(errorKinds, asName) ? (asName as ErrorCode) : undefined;
  const written = byNumber?.name ?? (ownCode === undefined ? asName : (systemErrorOf[ownCode] ?? asName));
  const code = Object.hasOwn(synonyms, written) ? (synonyms[written] ?? written) : written;

  const known = explanations.get(code);
  const system = errors.find(({ name }) => name === code);
  if (known === undefined && system === undefined && ownCode === undefined) {
    const names = [...explanations.keys(), ...errors.map(({ name }) => name), ...Object.keys(errorKinds)];
    const otherwise = 'a name such as ECONNREFUSED, a number such as 111, or a code of docs/errors.md';
    const nearest = asNumber === undefined ? nearestName(asName, names) : undefined;
    const what = `${quote(text)} is no error of this system`;
    return { problems: [operandProblem('ERRNO|CODE', what, didYouMean(nearest, otherwise))] };
  }
  const own = ownCode === undefined ? undefined : errorKinds[ownCode];
  const number = system === undefined || system.number > 4_000 ? undefined : system.number;
  const report = {
    query: text,
    code: ownCode ?? code,
    systemError: code === ownCode ? null : code,
    number: number ?? null,
    words: known?.words ?? system?.message ?? null,
    calls: known?.calls ?? [],
    cause: known?.cause ?? null,
    mender: own?.mender ?? known?.mender ?? null,
    next: known?.next ?? (ownCode === undefined ? null : 'See docs/errors.md.'),
    exitCode: own?.exitCode ?? null,
  };
  return {
    report,
    text: labelled([
      ['error', report.code],
      ['system error', report.systemError === report.code ? undefined : (report.systemError ?? undefined)],
      ['number', number === undefined ? undefined : `${number} on this system`],
      ['means', report.words ?? undefined],
      ['returned by', report.calls.join(', ')],
      ['likely cause', report.cause ?? undefined],
      ['who can mend it', report.mender ?? undefined],
      ['what to try', report.next ?? undefined],
      ['exit code', report.exitCode ?? undefined],
    ]),
  };
}
