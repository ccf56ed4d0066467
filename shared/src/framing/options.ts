import { FramingError } from './errors.ts';

/** 1 MiB: longer than any line a person types, short enough for a thousand connections on a small machine. */
export const DEFAULT_MAX_FRAME_BYTES = 1_048_576;

/** Returns `value` if it is an integer in [least, most]; throws FRAMING_OPTION naming the range if not. */
export function checkInteger(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new FramingError('FRAMING_OPTION', `${name} is ${show(value)}; it must be an integer from ${least} to ${most}`);
}

/** Returns `value` if it is one of `allowed`; throws FRAMING_OPTION naming them if not. */
export function checkChoice<Choice extends string>(name: string, value: Choice, allowed: readonly Choice[]): Choice {
  if (allowed.includes(value)) return value;
  const list = allowed.map((choice) => `'${choice}'`).join(' or ');
  throw new FramingError('FRAMING_OPTION', `${name} is ${show(value)}; it must be ${list}`);
}

/** Checks a limit on the bytes of one frame; the highest is 2^53-1, the largest count a number holds exactly. */
export function checkMaxFrameBytes(value: number | undefined): number {
  return checkInteger('maxFrameBytes', value ?? DEFAULT_MAX_FRAME_BYTES, 1, Number.MAX_SAFE_INTEGER);
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
