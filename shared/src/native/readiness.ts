/**
 * Being told that a descriptor can be read, without anybody reading from it: libuv's `uv_poll_t`, for which Node has
 * no JavaScript name. A socket of node:dgram reads the first datagram of every burst itself, without the address that
 * it was sent to, and into 64 KiB allocated for it; here all of them are left to recvmmsg(2).
 */
import { type NativeGap, type NativeHost, type NativeResult, openNative } from './linux.ts';

const SIGNATURES = {
  uv_handle_size: { arguments: ['i32'], return: 'u64' },
  uv_poll_init: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  uv_poll_start: { arguments: ['pointer', 'i32', 'pointer'], return: 'i32' },
  uv_close: { arguments: ['pointer', 'pointer'], return: 'void' },
} as const;

/** From `uv_handle_type` and `enum uv_poll_event`: parts of libuv's ABI, fixed within its major version. */
const UV_POLL = 8;
const UV_READABLE = 1;
const UV_WRITABLE = 2;

export type Interest = 'readable' | 'writable';

const EVENTS: Readonly<Record<Interest, number>> = { readable: UV_READABLE, writable: UV_WRITABLE };

export interface Readiness {
  /** What to be told of from now on, in place of what was asked for before. */
  watch(interest: Interest): void;
  /** Resolves when the descriptor is no longer looked at and may be closed. */
  close(): Promise<void>;
}

export type ReadinessResult =
  | {
      readonly available: true;
      /**
       * Calls `onReady` from the event loop whenever the descriptor (non-blocking, and nobody else's) is readable, at
       * once if it is now. An error thrown in there is an uncaught exception like any other.
       */
      open(fd: number, onReady: () => void): Readiness;
    }
  | { readonly available: false; readonly gap: NativeGap };

/** libuv writes into a handle, and calls back, for as long as it is open: until then nothing of it may be collected. */
const openHandles = new Set<object>();

/** Finds libuv. Never throws: what is missing is named. */
export function openReadiness(host: NativeHost): ReadinessResult {
  const native: NativeResult<typeof SIGNATURES> = openNative(host, SIGNATURES);
  if (!native.available) return native;
  const { ffi, lib, functions: uv } = native;
  if (typeof ffi.getCurrentEventLoop !== 'function') return { available: false, gap: 'ffi-off' };

  const open = (fd: number, onReady: () => void): Readiness => {
    const memory = Buffer.alloc(Number(uv.uv_handle_size(UV_POLL)));
    const handle = ffi.getRawPointer(memory);
    check('uv_poll_init', uv.uv_poll_init(ffi.getCurrentEventLoop(), handle, fd));
    const callback = lib.registerCallback({ arguments: ['pointer', 'i32', 'i32'], return: 'void' }, () => {
      try {
        onReady();
      } catch (error) {
        // An exception may not cross native code: it would abort the process. It leaves from a turn of its own.
        setImmediate(() => {
          throw error;
        });
      }
    });
    const kept = { memory };
    openHandles.add(kept);
    const watch = (interest: Interest): void =>
      check('uv_poll_start', uv.uv_poll_start(handle, EVENTS[interest], callback));
    watch('readable');
    return {
      watch,
      close: () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const closed = lib.registerCallback({ arguments: ['pointer'], return: 'void' }, () => {
          openHandles.delete(kept);
          // Neither callback may be unregistered from inside itself.
          setImmediate(() => {
            lib.unregisterCallback(callback);
            lib.unregisterCallback(closed);
            resolve();
          });
        });
        uv.uv_close(handle, closed);
        return promise;
      },
    };
  };
  return { available: true, open };
}

function check(call: string, result: number): void {
  if (result !== 0) throw new Error(`${call} failed with ${result}`);
}
