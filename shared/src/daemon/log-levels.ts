/** Least urgent last, as `--log-level` takes them. Apart from the log, so that help and clients load no logger. */
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];
