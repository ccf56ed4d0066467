/** What the name of a log file says: `echo-tcp.log`, and beside it what logrotate makes of it. */

export interface LogName {
  readonly service: string;
  /** False for the file that is being written now. */
  readonly rotated: boolean;
  readonly compressed: boolean;
}

/** `.1`, `-20261120`, `-20261120-1795132800`, `.2026-11-20T05`: what comes between `.log` and `.gz`. */
const NAME = /^(?<service>[A-Za-z0-9][\w.-]*?)\.log(?<rotation>[.-]\d[\dT_-]*)?(?<compressed>\.gz)?$/;

/** `undefined` when the file is not a log, or is packed in a way other than gzip. */
export function parseLogName(name: string): LogName | undefined {
  const { service, rotation, compressed } = NAME.exec(name)?.groups ?? {};
  if (service === undefined) return undefined;
  return { service, rotated: rotation !== undefined || compressed !== undefined, compressed: compressed !== undefined };
}
