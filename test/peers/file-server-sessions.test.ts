/** docs/protocols/file.md and the service's README: every session of them, with the real nc, telnet and socat. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { repository, startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { binFolder, isAsShown, readSessions, runSession } from '../support/sessions.ts';

const SHOWN_PORT = '7021';

const bins = binFolder(['file-server']);
afterAll(() => rmSync(bins, { recursive: true }));

describe.each(['docs/protocols/file.md', 'services/file-server/README.md'])('%s', (page) => {
  for (const session of readSessions(readFileSync(`${repository}${page}`, 'utf8'))) {
    const { line, needs, exchanges } = session;
    testWith(
      ['bash', 'nc', 'telnet', 'socat', 'seq', 'tail'].map(program),
      `line ${line}: ${exchanges[0]?.command}`,
      async () => {
        const scratch = mkdtempSync(join(tmpdir(), 'files-'));
        const args = needs.slice(1).map((word) => word.replaceAll('{scratch}', scratch));
        const daemon = await startDaemon('file-server', args);
        try {
          const printed = await runSession(session, bins, (text) => text.replaceAll(SHOWN_PORT, String(daemon.port)));
          for (const [index, { command, output }] of exchanges.entries()) {
            const text = (printed[index] ?? 'nothing\n').replaceAll(String(daemon.port), SHOWN_PORT);
            if (!isAsShown(output, text)) expect(`$ ${command}\n${text}`).toBe(`$ ${command}\n${output.join('\n')}\n`);
          }
        } finally {
          await daemon.stop('SIGKILL');
          rmSync(scratch, { recursive: true });
        }
      },
    );
  }
});
