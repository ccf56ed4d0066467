/**
 * Metric families as the text that Prometheus scrapes. prom-client's registry writes and escapes it; it is
 * loaded at the first scrape only, because it costs a start 46 ms and the process 20 MB, which a server that
 * nobody scrapes should not pay. Its own metric classes and its default metrics are not used.
 */
import type { Metric } from 'prom-client';
import type { HistogramValues, MetricFamily } from './metrics.ts';

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

interface RenderedSample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function formatMetrics(families: readonly MetricFamily[]): Promise<MetricsText> {
  const { Registry } = await import('prom-client');
  const registry = new Registry();
  for (const family of families) {
    const { name, help, type } = family;
    const values = family.type === 'histogram' ? cumulate(name, family.histogram) : family.samples.map(withLabels);
    // The registry asks a metric for no more than this; its types want the whole class.
    registry.registerMetric({ name, get: () => ({ name, help, type, values }) } as unknown as Metric);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

const withLabels = ({ labels = {}, value }: { labels?: RenderedSample['labels']; value: number }): RenderedSample => ({
  labels,
  value,
});

/** Buckets on the wire count everything up to their bound. */
function cumulate(name: string, { bounds, counts, sum }: HistogramValues): readonly RenderedSample[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return { metricName: `${name}_bucket`, labels: { le: String(bounds[index] ?? '+Inf') }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: total },
  ];
}
