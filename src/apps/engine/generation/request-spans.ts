// The span of a request, as vLLM's `--otlp-traces-endpoint` sends it: `llm_request`, with the times of its phases.
import type { SamplingRead } from '../../../core/api/index.ts';
import {
  genAiAttributes,
  genAiOperation,
  joinTraceState,
  parseTraceparent,
} from '../../../core/telemetry/index.ts';
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

interface TracedRequest {
  readonly engine: EmbeddedEngine;
  readonly exchange: Exchange;
  readonly id: string;
  readonly request: SamplingRead & { readonly max_tokens?: number | null | undefined };
  readonly sequences: readonly GeneratedSequence[];
}

/**
 * Exports the span of a request when its response is over, if its trace is kept.
 *
 * @see vllm/v1/engine/output_processor.py, `do_tracing`, for the attributes
 */
export function traceRequest(traced: TracedRequest): void {
  const { tracing } = traced.engine.options;
  if (tracing === undefined) return;
  const { response } = traced.exchange;
  if (response.destroyed) end(traced);
  else response.once('close', () => end(traced));
}

function end({ engine, exchange, id, request, sequences }: TracedRequest): void {
  const { tracing } = engine.options;
  const first = sequences[0];
  if (tracing === undefined || first === undefined) return;
  const { ids, sampler, exporter } = tracing;
  const header = exchange.header('traceparent');
  const caller = header === undefined ? undefined : parseTraceparent(header);
  const state = caller && exchange.header('tracestate');
  const traceId = caller?.traceId ?? ids.traceId();
  const wall = (seconds: number) => Math.max(0, seconds * engine.wallPerModelSecond);
  const seconds = wall(engine.nowSeconds() - first.arrivalSeconds);
  const outputTokens = sequences.reduce((total, { output }) => total + output.length, 0);
  const inputTokens = sequences
    .filter((_, index) => index % first.choices === 0)
    .reduce((total, { promptTokens }) => total + promptTokens, 0);
  const status = exchange.response.statusCode;
  const isUnfinished = sequences.some(({ finishReason }) => finishReason === null);
  const work = { isError: status >= 500, seconds, inputTokens, outputTokens };
  const keptFor = sampler.tail(sampler.head(traceId, caller?.isSampled), work);
  if (keptFor === undefined) return;
  const endMs = tracing.unixMs();
  const { admittedSeconds, arrivalSeconds, firstTokenSeconds, lastTokenSeconds } = first;
  const isAdmitted = admittedSeconds > 0;
  const hasToken = first.output.length > 0;
  const timeToFirst = hasToken ? wall(firstTokenSeconds - arrivalSeconds) : undefined;
  const model = engine.responseModelName(first.adapter?.name);
  const span = {
    ...({ name: 'llm_request', kind: 'server', traceId, spanId: ids.spanId() } as const),
    parentSpanId: caller?.spanId,
    isParentRemote: caller !== undefined,
    traceState: state === undefined ? undefined : joinTraceState([state]),
    startMs: endMs - seconds * 1000,
    endMs,
    attributes: {
      ...genAiAttributes({
        operation: genAiOperation(exchange.path),
        ...{ model, responseModel: model, inputTokens, outputTokens },
        cachedTokens: first.cachedTokens,
        outputTokensMax: first.maxTokens,
        temperature: request.temperature ?? undefined,
        topP: request.top_p ?? undefined,
        finishReasons: sequences.map(({ finishReason }) => finishReason ?? 'abort'),
        firstTokenSeconds: timeToFirst,
      }),
      'gen_ai.request.id': id,
      'gen_ai.request.n': first.choices,
      'gen_ai.usage.num_sequences': sequences.length,
      'gen_ai.latency.time_in_queue': isAdmitted
        ? wall(admittedSeconds - arrivalSeconds)
        : undefined,
      'gen_ai.latency.time_in_model_prefill': hasToken
        ? wall(firstTokenSeconds - admittedSeconds)
        : undefined,
      'gen_ai.latency.time_in_model_decode': hasToken
        ? wall(lastTokenSeconds - firstTokenSeconds)
        : undefined,
      'gen_ai.latency.time_in_model_inference': hasToken
        ? wall(lastTokenSeconds - admittedSeconds)
        : undefined,
      'gen_ai.latency.e2e': seconds,
      'http.request.method': exchange.request.method,
      'http.route': exchange.route,
      'http.response.status_code': status,
      'spillway.emulated': true,
      'spillway.kept_for': keptFor,
      'spillway.kv.prefix_hit_tokens': first.cachedTokens - first.externalTokens,
      'spillway.kv.lower_tier_tokens': first.externalTokens,
      'spillway.preemptions': first.preemptions + first.preemptionsUnseen,
    },
    events: [],
    error: status >= 500 ? `status ${status}` : isUnfinished ? 'aborted' : undefined,
  };
  exporter.add([span], keptFor);
}
