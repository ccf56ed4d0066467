/** `sntp-client plot`: offset and delay over time, from the daemon's log. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { duration, listOf, text } from '@small-servers/shared/config/kinds';
import { setting } from '@small-servers/shared/config/settings';
import { formatDurationMs } from '@small-servers/shared/config/units';
import { stateFolder } from '@small-servers/shared/daemon/state-folder';
import { AppError, exitCodes } from '@small-servers/shared/errors';
import { curvesOf, plotSvg, plotText } from './plot.ts';
import { collectPoints, linesOf } from './plot-records.ts';

const file = text({ allowed: 'a path', placeholder: 'FILE', accepts: (value) => value !== '' });

const settings = {
  sinceMs: setting(duration({ min: 1_000 }), { default: 86_400_000, group: 'Measuring', help: 'how far back to look' }),
  svg: setting(text({ allowed: 'a path', placeholder: 'FILE' }), {
    default: '',
    group: 'Measuring',
    help: 'write a picture to this file in place of text',
  }),
  log: setting(listOf(file), {
    default: [],
    group: 'Measuring',
    help: "log files, oldest first; the fleet's own when left out",
  }),
} as const;

const ROWS = 12;
const MAX_COLUMNS = 120;

export const plotCommand = clientCommand({
  name: 'plot',
  describe: 'draw offset and delay over time',
  operands: [],
  settings,
  examples: [
    ['sntp-client plot --since 2h', 'in the terminal'],
    ['sntp-client plot --svg clock.svg', 'a day as a picture'],
  ],
  parseOperands: () => undefined,
  run: async ({ config, json, print }) => {
    const paths = config.log.length > 0 ? config.log : await fleetLogs(join(stateFolder, 'logs'));
    const data = await collectPoints(linesOf(paths), Date.now() - config.sinceMs);
    if (json) {
      print(`${JSON.stringify({ offset: data.offset, delays: Object.fromEntries(data.delays) })}\n`);
      return exitCodes.success;
    }
    const curves = curvesOf(data);
    if (curves.length === 0) {
      const where = paths.join(', ') || join(stateFolder, 'logs');
      throw new AppError('NOTHING_TO_PLOT', `no poll in the last ${formatDurationMs(config.sinceMs)} in ${where}`);
    }
    if (config.svg !== '') {
      await writeFile(config.svg, plotSvg(curves));
      print(`${config.svg}: ${curves.length} curves\n`);
      return exitCodes.success;
    }
    const columns = Math.min(process.stdout.columns ?? 100, MAX_COLUMNS);
    print(curves.map((curve) => plotText(curve, columns, ROWS)).join('\n'));
    return exitCodes.success;
  },
});

/** The live file of the daemon and those that were rotated away uncompressed, oldest first. */
async function fleetLogs(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const numbered = names
    .flatMap((name) => {
      const number = /^sntp-client\.log(?:\.(\d+))?$/.exec(name);
      return number === null ? [] : [{ name, number: Number(number[1] ?? 0) }];
    })
    .sort((a, b) => b.number - a.number);
  return numbered.map(({ name }) => join(folder, name));
}
