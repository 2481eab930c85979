// Metrics of the export of spans.
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import type { DropReason, SpanExporter } from './span-exporter.ts';

/** Declares how many spans were exported, dropped and are waiting. */
export function declareSpanMetrics(registry: MetricsRegistry, exporter: SpanExporter): void {
  const exported = registry
    .counter({ name: 'spillway_otel_spans_exported', help: 'Spans that the collector accepted.' })
    .with();
  const dropped = registry.counter({
    name: 'spillway_otel_spans_dropped',
    help: 'Spans that were dropped: queue_full, collector (not accepted), rejected (in part) or shutdown.',
    labels: ['reason'],
  });
  const queued = registry
    .gauge({ name: 'spillway_otel_spans_queued', help: 'Spans that wait for their export.' })
    .with();
  registry.onRender(() => {
    exported.inc(exporter.exportedSpans - exported.value);
    for (const [reason, count] of Object.entries(exporter.droppedSpans)) {
      const series = dropped.with({ reason: reason satisfies string as DropReason });
      series.inc(count - series.value);
    }
    queued.set(exporter.queuedSpans);
  });
}
