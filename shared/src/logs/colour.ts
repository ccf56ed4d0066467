/** Colour for people: only on a terminal, unless the environment says otherwise. */

/** SGR parameters (ECMA-48) of each use. */
const codes = {
  dim: '2',
  bold: '1',
  red: '31',
  green: '32',
  yellow: '33',
  magenta: '35',
  cyan: '36',
} as const;

type Colour = keyof typeof codes;
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;
export const coloured: Paint = (colour, text) => (text === '' ? '' : `\x1b[${codes[colour]}m${text}\x1b[0m`);

/** FORCE_COLOR (`0` and `false` switch off) over NO_COLOR (no-color.org: any text) over whether it is a terminal. */
export function choosePaint(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Paint {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: terminal } = environment;
  if (force !== undefined) return force === '0' || force === 'false' ? plain : coloured;
  return isTerminal && !no && terminal !== 'dumb' ? coloured : plain;
}
