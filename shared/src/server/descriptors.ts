/** The process's limit of open files, which running out of shows nowhere else: libuv sheds silently. */

interface ReportWithLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
}

/** Not yet in Node's types: leaves the sockets, and the look-up of each one's names, out of a report. */
interface ReportOptions {
  excludeNetwork: boolean;
}

/** The soft limit of open files (`ulimit -n`); `Infinity` where the system has none. */
export function softDescriptorLimit(): number {
  (process.report as unknown as ReportOptions).excludeNetwork = true;
  const { userLimits } = process.report.getReport() as ReportWithLimits;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
