// What the traces of one process share: ids, the rules that keep a trace, and the export.
import { type IdSource, Sampler, type SamplingSettings } from '../../core/telemetry/index.ts';
import type { Logger } from '../log/index.ts';
import { newTraces } from './new-traces.ts';
import { openSpanExporter } from './open-exporter.ts';
import type { OtlpSettings } from './otlp-settings.ts';
import { systemIds } from './random-ids.ts';
import type { SpanExporter } from './span-exporter.ts';
import { unixClock } from './unix-clock.ts';

/** How a process traces. */
export interface TracingOptions {
  readonly otlp: OtlpSettings;
  readonly sampling: SamplingSettings;
}

/** What takes the spans of a trace that is kept. */
export type SpanSink = Pick<SpanExporter, 'add' | 'addLater'>;

export interface Tracing {
  readonly ids: IdSource;
  /** Begins a trace: the `traceparent` of its first span, with the flag of the head rule. */
  readonly newTrace: () => string;
  readonly sampler: Sampler;
  readonly exporter: SpanSink;
  /** Unix time, with parts of milliseconds. */
  readonly unixMs: () => number;
}

/** Traces that an exporter sends to a collector. */
export interface OpenTracing extends Tracing {
  readonly exporter: SpanExporter;
}

/** @throws {InputError} If the file of the collector's authority cannot be read. */
export async function openTracing(options: TracingOptions, log: Logger): Promise<OpenTracing> {
  const ids = systemIds();
  const sampler = new Sampler(options.sampling);
  return {
    ...{ ids, sampler, newTrace: newTraces(sampler, ids) },
    exporter: await openSpanExporter(options.otlp, log),
    unixMs: unixClock(),
  };
}
