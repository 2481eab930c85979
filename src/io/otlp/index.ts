// Export of spans by OTLP, OpenTelemetry's protocol.
export { openSpanExporter } from './open-exporter.ts';
export {
  type OtlpFlags,
  type OtlpProtocol,
  type OtlpSettings,
  otlpProtocols,
  readOtlpSettings,
} from './otlp-settings.ts';
export { systemIds } from './random-ids.ts';
export type { SpanExporter } from './span-exporter.ts';
export { declareSpanMetrics } from './span-metrics.ts';
