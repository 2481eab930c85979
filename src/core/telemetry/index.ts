// Traces: the context that passes between processes, spans, which of them are kept, and the names of attributes.
export {
  type GenAiOperation,
  type GenAiRequest,
  genAiAttributes,
  genAiOperation,
  operationAttributes,
  requestAttributes,
} from './gen-ai.ts';
export {
  type EndedWork,
  type KeptFor,
  Sampler,
  type SamplingSettings,
  samplingDefaults,
} from './sampler.ts';
export {
  type Attributes,
  type AttributeValue,
  type IdSource,
  randomIds,
  type Span,
  type SpanEvent,
} from './span.ts';
export {
  formatTraceparent,
  isSampledIn,
  parseTraceparent,
  spanIdOf,
  type TraceContext,
  traceIdOf,
} from './trace-context.ts';
export { joinTraceState, traceStateEntriesMax, traceStateLengthMax } from './trace-state.ts';
