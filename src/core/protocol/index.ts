// Codecs of the messages between routers and engines, and the fields of a request that routing needs.
export {
  type EngineReport,
  engineReportQuery,
  isSameReport,
  parseEngineReport,
} from './engine-report.ts';
export { MessagePackFormatError } from './errors.ts';
export { withMembers } from './json-members.ts';
export { JsonSyntaxError, jsonNumberAt, jsonTrueAt, skimJsonObject } from './json-skim.ts';
export { type KvEventEndpoints, kvEventEndpoints } from './kv-event-sources.ts';
export type {
  AllBlocksClearedEvent,
  BlockRemovedEvent,
  BlockStoredEvent,
  EventBlockHash,
  EventExtraKey,
  KvEvent,
  KvEventBatch,
  UnknownKvEvent,
} from './kv-events.ts';
export { decodeKvEventBatch } from './kv-events-decode.ts';
export { encodeKvEventBatch } from './kv-events-encode.ts';
export { MessagePackReader } from './message-pack-reader.ts';
export { MessagePackWriter } from './message-pack-writer.ts';
export { type MetricSample, metricSamples } from './metric-samples.ts';
export { metricSums } from './metrics-sums.ts';
export { type RequestFields, RequestFieldsReader } from './request-fields.ts';
