/** Which names a server may give to files on this side. `..`, `/` and NUL never get here: no path holds them. */
import { isPartName } from './part-name.ts';

/** Names that stand for devices on Windows, in any folder and with any extension. */
const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;
const windowsSeparators = /[<>:"/\\|?*\p{Cc}]/u;

/** What is wrong with a name here, or `undefined`. */
export function localNameProblem(name: Buffer, platform: NodeJS.Platform): string | undefined {
  if (isPartName(name)) return 'get gives such names to files that are not whole yet';
  if (platform !== 'win32') return undefined;
  const text = name.toString();
  if (windowsSeparators.test(text)) return 'it holds a character that separates or means something to Windows';
  if (/[. ]$/.test(text)) return 'it ends with a dot or a space, which Windows drops';
  if (device.test(text)) return 'it stands for a device on Windows';
  return undefined;
}
