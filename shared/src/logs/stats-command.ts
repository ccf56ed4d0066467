/** `pnpm logs stats`: the logs in numbers. */
import { clientCommand } from '../cli/client-command.ts';
import { exitCodes } from '../errors.ts';
import { choosePaint } from './colour.ts';
import { closeLogs } from './files.ts';
import { createFilter } from './filter.ts';
import { mayHold, noLogs, openSelection, reportDamage, selectionOf } from './selection.ts';
import { statsSettings } from './settings.ts';
import { byService, readAll } from './source.ts';
import { ServiceStats } from './stats.ts';
import { formatStats, statsToJson } from './stats-report.ts';

export const stats = clientCommand({
  name: 'stats',
  describe: 'connections, bytes, refusals, durations and top peers of each service',
  operands: [],
  settings: statsSettings,
  examples: [
    ['pnpm logs stats --since 1h', 'the last hour'],
    ['pnpm --silent logs stats --json | jq .', 'for programs'],
  ],
  epilogue: 'Percentiles are within 1%. A connection counts when it ends: those that are open are not in the numbers.',
  parseOperands: () => undefined,
  run: async ({ config, json, signal, print }) => {
    const selection = selectionOf(config, Date.now());
    const files = openSelection(selection);
    if (files.length === 0) throw noLogs(selection, config.service);
    const options = { filter: createFilter(selection), onDamaged: reportDamage };
    const all: ServiceStats[] = [];
    for (const [service, ofService] of byService(files.filter((file) => mayHold(file, selection.sinceMs)))) {
      const ofThis = new ServiceStats(service);
      for await (const batch of readAll(ofService, options)) {
        if (signal.aborted) break;
        for (const line of batch) ofThis.add(line);
      }
      if (Number.isFinite(ofThis.firstMs)) all.push(ofThis);
    }
    closeLogs(files);
    const sorted = all.toSorted((a, b) => a.service.localeCompare(b.service));
    print(json ? statsToJson(sorted) : formatStats(sorted, choosePaint(process.stdout.isTTY === true, process.env)));
    return exitCodes.success;
  },
});
