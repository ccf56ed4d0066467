/** What holds for every service and every page, checked instead of remembered. */
import { existsSync } from 'node:fs';
import { glob, readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import { nameSettings, type Settings } from '@small-servers/shared/config/settings';
import { errorKinds } from '@small-servers/shared/errors';
import { framingErrorCodes } from '@small-servers/shared/framing/errors';
import { closeReasons, refusalReasons } from '@small-servers/shared/server/reasons';
import { describe, expect, test } from 'vitest';
import { repository, runProgram } from './support/daemon.ts';
import { serviceNames } from './support/fleet.ts';

const services = await readdir(`${repository}services`);
const read = (path: string): Promise<string> => readFile(join(repository, path), 'utf8');

async function files(...patterns: string[]): Promise<readonly string[]> {
  const found = await Array.fromAsync(glob(patterns, { cwd: repository, exclude: ['**/node_modules/**'] }));
  return found.toSorted();
}

/** First cells of a page's tables: `| \`NAME\` | ... |`. */
async function rows(page: string): Promise<readonly string[]> {
  return [...(await read(page)).matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name);
}

/** Whether a service waits for peers on a port of its own. */
async function listens(service: string): Promise<boolean> {
  const { settings } = (await import(`${repository}services/${service}/src/settings.ts`)) as { settings: Settings };
  return settings.port !== undefined;
}

describe('services', () => {
  test('the folders under services/ are the fleet', async () => {
    expect((await serviceNames()).toSorted()).toEqual(services.toSorted());
  });

  describe.each(services)('%s', (service) => {
    test('has the files that every service has', async () => {
      // A service that listens nowhere serves no protocol; one that has much to say has a folder of it.
      const protocol = existsSync(`${repository}services/${service}/src/protocol`) ? 'src/protocol' : 'src/protocol.ts';
      const serving = (await listens(service)) ? [protocol, 'src/server.ts'] : [];
      const programs = ['src/bin.js', 'src/main.ts'];
      const common = ['README.md', 'package.json', ...programs, ...serving, 'src/settings.ts', 'test'];
      expect(common.filter((file) => !existsSync(`${repository}services/${service}/${file}`))).toEqual([]);
    });

    test('its package says who it is, how it is checked and how a person talks to it', async () => {
      const manifest = JSON.parse(await read(`services/${service}/package.json`));
      expect(manifest).toMatchObject({
        name: `@small-servers/${service}`,
        private: true,
        type: 'module',
        bin: { [service]: 'src/bin.js' },
        smallServers: {
          transport: expect.stringMatching(/^(?:tcp|udp)$/),
          ...((await listens(service)) ? { check: expect.any(Array), latency: expect.any(String) } : {}),
          try: expect.any(String),
        },
      });
      expect(JSON.parse(await read('package.json')).dependencies).toHaveProperty([`@small-servers/${service}`]);
    });

    test('every setting of the daemon, and every flag of every command, stands in its README', async () => {
      const readme = await read(`services/${service}/README.md`);
      const { settings } = (await import(`${repository}services/${service}/src/settings.ts`)) as { settings: Settings };
      const table = [...readme.matchAll(/^\| `--([a-z0-9-]+)/gm)].map(([, name]) => name);
      for (const { name } of nameSettings(service, settings)) expect(table, `--${name}`).toContain(name);

      const { stdout } = await runProgram(service, ['--help']);
      const commands = [...stdout.matchAll(new RegExp(`^  ${service} ([a-z]+)`, 'gm'))].map(([, name = '']) => name);
      expect(commands).toContain((await listens(service)) ? 'serve' : 'watch');
      for (const command of new Set(commands)) {
        // Commands of one kind share a heading: `## ls, stat, sum`.
        expect(readme, `a heading for ${command}`).toMatch(new RegExp(`^## (?:[a-z]+, )*${command}`, 'm'));
        const help = await runProgram(service, [command, '--help']);
        for (const [, flag = ''] of help.stdout.matchAll(/^ {2}--([a-z0-9-]+)/gm)) {
          if (flag !== 'help' && flag !== 'version') expect(readme, `${command} --${flag}`).toContain(`\`--${flag}`);
        }
      }
    });

    test('no flag stands in its README that it does not have', async () => {
      const { stdout } = await runProgram(service, ['--help']);
      const commands = [...stdout.matchAll(new RegExp(`^  ${service} ([a-z]+)`, 'gm'))].map(([, name = '']) => name);
      const helps = await Promise.all(
        [...new Set(commands)].map((command) => runProgram(service, [command, '--help'])),
      );
      const known = helps.flatMap((help) => [...help.stdout.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, flag]) => flag));
      const table = (await read(`services/${service}/README.md`))
        .split('\n')
        .filter((line) => line.startsWith('| `--'));
      const named = table.flatMap((line) =>
        [...(line.split(/(?<!\\)\|/)[1] ?? '').matchAll(/`--([a-z0-9-]+)/g)].map(([, flag]) => flag),
      );
      expect(named.filter((flag) => !known.includes(flag))).toEqual([]);
    });
  });
});

/** Each import of a module: the path in the repository, or the package. Those of types alone may be left out. */
async function imports(file: string, { types = true } = {}): Promise<readonly string[]> {
  const text = await read(file);
  // A type leaves nothing behind when it is stripped, so it is no way to do I/O.
  const source = types ? text : text.replaceAll(/^(?:import|export) type\s[^;]*;/gm, '');
  return [...source.matchAll(/(?:^|\n)(?:import|export)\s(?:[^;'"]*?\sfrom\s)?['"]([^'"]+)['"]/g)].map(
    ([, from = '']) => {
      if (from.startsWith('.')) return normalize(join(dirname(file), from));
      if (from.startsWith('@small-servers/shared/'))
        return `shared/src/${from.slice('@small-servers/shared/'.length)}.ts`;
      return from;
    },
  );
}

/** Modules that do I/O, know the process or keep time; a stream is only a shape that data is passed in. */
const outside = /^node:(?!(?:assert|buffer|util|url|path|stream|stream\/web)$)|^(?:pino|pm2)$/;

describe('imports go down', () => {
  test('a service imports shared and itself, never another service', async () => {
    for (const file of await files('services/*/src/**/*.ts')) {
      const own = file.split('/').slice(0, 2).join('/');
      const wrong = (await imports(file)).filter(
        (from) =>
          (from.startsWith('services/') && !from.startsWith(`${own}/`)) || /^@small-servers\/(?!shared\/)/.test(from),
      );
      expect(wrong, file).toEqual([]);
    }
  });

  test('shared imports no service, and nothing of it imports the tests', async () => {
    for (const file of await files('shared/src/**/*.ts')) {
      const wrong = (await imports(file)).filter((from) =>
        /^(?:services|test|shared\/test)\/|^@small-servers\//.test(from),
      );
      expect(wrong, file).toEqual([]);
    }
  });

  test('framing, inet, config and every protocol do no I/O, and neither does what they import', async () => {
    const pure = await files(
      'shared/src/{framing,config}/*.ts',
      'shared/src/inet/*.ts',
      'services/*/src/{protocol,protocol/*}.ts',
    );
    const seen = new Set(pure);
    expect(seen.size).toBeGreaterThan(10);
    const wrong: string[] = [];
    for (const file of seen) {
      for (const from of await imports(file, { types: false })) {
        if (outside.test(from)) wrong.push(`${file} imports ${from}`);
        if (from.endsWith('.ts')) seen.add(from);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a module of shared uses those below it alone', async () => {
    const floors = [
      ['fleet', 'nettool', 'logs'],
      ['cli', 'daemon', 'server', 'client'],
      ['clock', 'config', 'framing', 'inet', 'native', 'system'],
    ];
    const floorOf = (path: string): number => floors.findIndex((names) => names.includes(path.split('/')[2] ?? ''));
    for (const file of await files('shared/src/*/*.ts')) {
      const wrong = (await imports(file)).filter((from) => floorOf(from) !== -1 && floorOf(from) < floorOf(file));
      expect(wrong, file).toEqual([]);
    }
  });
});

describe('documents', () => {
  test('every error code has its row in docs/errors.md, with its exit code, and no other has', async () => {
    const page = await read('docs/errors.md');
    const codes = [...Object.keys(errorKinds), ...Object.keys(framingErrorCodes)];
    expect((await rows('docs/errors.md')).filter((name) => /^[A-Z_]+$/.test(name)).toSorted()).toEqual(
      codes.toSorted(),
    );
    for (const [code, { exitCode }] of Object.entries(errorKinds)) {
      expect(page).toMatch(new RegExp(`^\\| \`${code}\` +\\| ${exitCode} `, 'm'));
    }
  });

  test('every reason has its row in docs/operations.md', async () => {
    const documented = await rows('docs/operations.md');
    for (const reason of [...Object.keys(closeReasons), ...Object.keys(refusalReasons)])
      expect(documented).toContain(reason);
  });

  test('every event that the code logs has its row in docs/operations.md, and every row is logged', async () => {
    const sources = await Promise.all((await files('{shared,services/*}/src/**/*.ts')).map(read));
    const logged = new Set(
      sources.flatMap((source) => [...source.matchAll(/\bevent: '([a-z-]+)'/g)].map(([, name = '']) => name)),
    );
    const [, table = ''] = /^\| Event \|[^\n]*\n((?:\|[^\n]*\n)+)/m.exec(await read('docs/operations.md')) ?? [];
    const documented = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name = '']) => name);
    expect(logged.size).toBeGreaterThan(5);
    expect(documented.toSorted()).toEqual([...logged].toSorted());
  });

  test('every link between documents leads somewhere', async () => {
    for (const page of await files('*.md', 'docs/**/*.md', 'services/*/*.md')) {
      // Links in fenced blocks are examples.
      const text = (await read(page)).replaceAll(/^```[\s\S]*?^```/gm, '');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
        expect(existsSync(join(repository, dirname(page), target)), `${page}: ${target}`).toBe(true);
      }
    }
  });

  test('every source file that a document names is there', async () => {
    for (const page of await files('*.md', 'docs/**/*.md', 'services/*/*.md')) {
      for (const [, path = ''] of (await read(page)).matchAll(
        /`((?:shared|services|test)\/[\w./-]+\.(?:ts|js|py|c))`/g,
      )) {
        expect(existsSync(join(repository, path)), `${page}: ${path}`).toBe(true);
      }
    }
  });

  test('the README lists every service', async () => {
    for (const service of services)
      expect(await read('README.md')).toContain(`[${service}](services/${service}/README.md)`);
  });
});

test('test files mirror the sources: each folder of tests has a folder of sources', async () => {
  for (const file of await files('{shared,services/*}/test/*/*.test.ts')) {
    const folder = dirname(file).replace('/test/', '/src/');
    expect(existsSync(join(repository, folder)), relative(repository, file)).toBe(true);
  }
});
