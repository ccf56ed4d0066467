/** HELP, made of the table of verbs: for a person at a terminal of 80 columns. */
import { usageOf, type VerbName, verbs } from './verbs.ts';

const rows = (Object.keys(verbs) as VerbName[]).map((name) => `${usageOf(name)}\r\n      ${verbs[name].summary}\r\n`);

export const helpText = `Files over one socket: one command a line, one reply each.\r\n\r\n${rows.join('')}`;
