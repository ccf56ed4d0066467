/** Timers, so that tests can run a month in a second. */
export interface Timers {
  /** Calls back after `seconds` of the monotonic clock; the function returned cancels. */
  after(seconds: number, callback: () => void): () => void;
}

export const systemTimers: Timers = {
  after: (seconds, callback) => {
    const timer = setTimeout(callback, seconds * 1000);
    return () => clearTimeout(timer);
  },
};
