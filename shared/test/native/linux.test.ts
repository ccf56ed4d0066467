import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { loadLibc, type NativeHost, nativeGaps, openLibc } from '../../src/native/linux.ts';

const host = (parts: Partial<NativeHost>): NativeHost => ({
  platform: 'linux',
  arch: 'x64',
  emitWarning: () => {},
  getBuiltinModule: (() => undefined) as NativeHost['getBuiltinModule'],
  ...parts,
});

const ffiThatThrows = (error: Error) =>
  ({
    getBuiltinModule: () => ({
      dlopen: () => {
        throw error;
      },
    }),
  }) as unknown as Partial<NativeHost>;

describe('openLibc names what is missing', () => {
  test.each([
    ['not-linux', host({ platform: 'darwin' })],
    ['unknown-architecture', host({ arch: 'mips' })],
    ['ffi-off', host({})],
    ['ffi-denied', host(ffiThatThrows(Object.assign(new Error(), { code: 'ERR_ACCESS_DENIED' })))],
    ['libc-not-loaded', host(ffiThatThrows(new Error('undefined symbol: socket')))],
  ] as const)('%s', (gap, given) => {
    expect(openLibc(given)).toEqual({ available: false, gap });
    expect(nativeGaps[gap]).not.toBe('');
  });
});

test('the warning function is put back, also when loading fails', () => {
  const emitWarning = () => {};
  const given = host({
    emitWarning,
    getBuiltinModule: () => {
      throw new Error('no such module');
    },
  });
  expect(() => openLibc(given)).toThrow('no such module');
  expect(given.emitWarning).toBe(emitWarning);
});

const supported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

describe.runIf(supported)('on this host', () => {
  test('a call that fails leaves the name of its error', () => {
    const loaded = loadLibc();
    if (!loaded.available) throw new Error(loaded.gap);
    expect(loaded.libc.close(-1)).toBe(-1);
    expect(loaded.libc.errorName()).toBe('EBADF');
    expect(loadLibc()).toBe(loaded);
  });

  const run = (flags: readonly string[], code: string) => {
    const module = JSON.stringify(new URL('../../src/native/linux.ts', import.meta.url).href);
    const script = `import { loadLibc } from ${module}; const loaded = loadLibc(); ${code}`;
    return spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8' });
  };

  test('loading says nothing on stderr, and warnings of anything else still come through', () => {
    const quiet = run([], 'console.log(loaded.available)');
    expect([quiet.stdout, quiet.stderr]).toEqual(['true\n', '']);
    const loud = run([], 'process.emitWarning("something else", "ExperimentalWarning")');
    expect(loud.stderr).toContain('something else');
  });

  test('a Node without FFI, or one that denies it, is told apart', () => {
    expect(run(['--no-experimental-ffi'], 'console.log(loaded.gap)').stdout).toBe('ffi-off\n');
    expect(run(['--permission', '--allow-fs-read=*'], 'console.log(loaded.gap)').stdout).toBe('ffi-denied\n');
  });
});
