// Export of spans by OTLP, OpenTelemetry's protocol.
export {
  type OtlpFlags,
  type OtlpProtocol,
  type OtlpSettings,
  otlpProtocols,
  readOtlpSettings,
} from './otlp-settings.ts';
export { declareSpanMetrics } from './span-metrics.ts';
export {
  type OpenTracing,
  openTracing,
  type SpanSink,
  type Tracing,
  type TracingOptions,
} from './tracing.ts';
