/** The process's limit of open files, which running out of shows nowhere else: libuv sheds silently. */

interface ReportWithLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
}

/** The soft limit of open files (`ulimit -n`); `Infinity` where the system has none. */
export function softDescriptorLimit(): number {
  // Without this the report looks every open socket's names up.
  process.report.excludeNetwork = true;
  const { userLimits } = process.report.getReport() as ReportWithLimits;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
