/** `sntp-client plot`: offset and delay over time, from the daemon's log. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { duration, text } from '@small-servers/shared/config/kinds';
import { setting } from '@small-servers/shared/config/settings';
import { formatDurationMs } from '@small-servers/shared/config/units';
import { stateFolder } from '@small-servers/shared/daemon/state-folder';
import { AppError, exitCodes } from '@small-servers/shared/errors';
import { closeLogs } from '@small-servers/shared/logs/files';
import { createFilter } from '@small-servers/shared/logs/filter';
import { mayHold, openSelection, reportDamage } from '@small-servers/shared/logs/selection';
import { readAll } from '@small-servers/shared/logs/source';
import { curvesOf, plotSvg, plotText } from './plot.ts';
import { collectPoints, type PlotData } from './plot-records.ts';

const settings = {
  sinceMs: setting(duration({ min: 1_000 }), { default: 86_400_000, group: 'Measuring', help: 'how far back to look' }),
  svg: setting(text({ allowed: 'a path', placeholder: 'FILE' }), {
    default: '',
    group: 'Measuring',
    help: 'write a picture to this file in place of text',
  }),
  dir: setting(text({ allowed: 'a path', placeholder: 'FOLDER', accepts: (value) => value !== '' }), {
    default: { derive: () => join(stateFolder, 'logs'), from: 'logs' },
    group: 'Measuring',
    help: 'where the logs are, live and rotated',
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
    const data = await readPoints(config.dir, Date.now() - config.sinceMs);
    if (json) {
      print(`${JSON.stringify({ offset: data.offset, delays: Object.fromEntries(data.delays) })}\n`);
      return exitCodes.success;
    }
    const curves = curvesOf(data);
    if (curves.length === 0) {
      const message = `no poll in the last ${formatDurationMs(config.sinceMs)} in ${config.dir}`;
      throw new AppError('NOTHING_TO_PLOT', message);
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

async function readPoints(folder: string, sinceMs: number): Promise<PlotData> {
  const isWanted = (service: string): boolean => service === 'sntp-client';
  const files = openSelection({ folder, isWanted, sinceMs, untilMs: undefined });
  const filter = createFilter({ events: ['clock', 'poll'], sinceMs });
  try {
    return await collectPoints(
      readAll(
        files.filter((file) => mayHold(file, sinceMs)),
        { filter, onDamaged: reportDamage },
      ),
    );
  } finally {
    closeLogs(files);
  }
}
