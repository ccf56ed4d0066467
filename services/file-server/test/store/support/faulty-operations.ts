/** File operations that go wrong at a chosen step: a crash, an error of the disk, a write that takes only some bytes. */
import { type NativeFiles, openNativeFiles, unknown } from '../../../src/store/native-files.ts';
import { type FileOperations, realOperations } from '../../../src/store/operations.ts';

export interface Step {
  readonly operation: string;
  /** The paths among the arguments, without their directories. */
  readonly names: readonly string[];
}

export interface FaultyOperations {
  readonly operations: FileOperations;
  /** To be given as `nativeFor` too, where files without a name are made: the steps of these count. */
  nativeFor(descriptor: number): NativeFiles | undefined;
  readonly steps: readonly Step[];
  /** From now on: the operation with this number (from 0) and all later ones fail, as for a process that is gone. */
  crashAt(step: number): void;
  /** From now on: the operation with this number fails once. */
  failAt(step: number, code: string): void;
}

export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code, syscall: 'injected' });
}

const untouched: ReadonlySet<string> = new Set(['close', 'closeNow']);

export function faultyOperations(real: FileOperations = realOperations): FaultyOperations {
  const steps: Step[] = [];
  let crash = Number.POSITIVE_INFINITY;
  let failure: { step: number; code: string } | undefined;

  const before = (operation: string, args: readonly unknown[]): void => {
    const step = steps.length;
    const names = args.filter((arg) => Buffer.isBuffer(arg) && arg.length < 512).map(lastName);
    steps.push({ operation, names: operation === 'write' ? [] : names });
    if (step >= crash) throw systemError('ECRASHED');
    if (step === failure?.step) throw systemError(failure.code);
  };

  const operations = new Proxy(real, {
    get(target, key) {
      const operation = Reflect.get(target, key);
      // What a process holds open the system closes when it is gone.
      if (untouched.has(key as string) || typeof operation !== 'function') return operation;
      if (key === 'names') {
        return async function* (path: Buffer) {
          before('names', [path]);
          yield* target.names(path);
        };
      }
      if ((key as string).endsWith('Now')) {
        return (...args: never[]) => {
          before(key as string, args);
          return (operation as (...args: never[]) => unknown)(...args);
        };
      }
      return async (...args: never[]) => {
        before(key as string, args);
        return (operation as (...args: never[]) => unknown)(...args);
      };
    },
  });
  const nativeFor = (descriptor: number): NativeFiles | undefined => {
    const native = openNativeFiles(process, descriptor, !real.hasDisk);
    const { unnamed } = native ?? {};
    if (native === undefined || unnamed === undefined) return native;
    const may = (operation: string): boolean => {
      try {
        before(operation, []);
        return true;
      } catch {
        return false;
      }
    };
    return {
      ...native,
      unnamed: {
        create: (...args) => (may('create') ? unnamed.create(...args) : unknown),
        link: (...args) => may('link') && unnamed.link(...args),
      },
    };
  };
  return {
    operations,
    nativeFor,
    steps,
    crashAt: (step) => {
      crash = steps.length + step;
    },
    failAt: (step, code) => {
      failure = { step: steps.length + step, code };
    },
  };
}

function lastName(path: unknown): string {
  return (path as Buffer).toString('latin1').split('/').at(-1) ?? '';
}

/** Every write takes at most so many bytes. */
export function shortWrites(maxBytes: number): FileOperations {
  return {
    ...realOperations,
    write: (descriptor, bytes, offset) => realOperations.write(descriptor, bytes.subarray(0, maxBytes), offset),
  };
}
