// The router's metrics: upstream's names where upstream has them, our own names for the rest.

import type { Counter, MetricsRegistry } from '../../../core/metrics/index.ts';
import { LatencyWindows } from './latency-windows.ts';
import { modelSeriesMax } from './model-series.ts';
import { RateMeter } from './rate-meter.ts';
import { RecentRequests } from './recent-requests.ts';

/** Seconds; vLLM's buckets for end-to-end latency, with finer ones in front. */
const latencyBounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240, 480,
];
const firstByteBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 20, 40, 80,
];
/** Seconds; vLLM's buckets of `vllm:time_to_first_token_seconds`. */
const firstTokenBounds = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40],
  ...[80, 160, 640, 2560],
];
/** Seconds; vLLM's buckets of `vllm:inter_token_latency_seconds`. */
const tokenGapBounds = [
  ...[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  ],
];

/** The families, declared once per router. */
export class RouterMetrics {
  readonly incoming;
  readonly errors;
  readonly latency;
  readonly inputTokens;
  readonly outputTokens;
  readonly requests;
  readonly reroutes;
  readonly deadlines;
  readonly stalls;
  readonly migrations;
  readonly handoffs;
  readonly hedges;
  readonly firstByte;
  readonly prediction;
  readonly picks;
  readonly firstToken;
  readonly tokenGap;
  readonly cachedTokens;
  readonly refusedRequests;
  readonly tokenizedPrompts;
  readonly untokenizedPrompts;
  /** Window over which the rates of engines are computed. */
  readonly windowSeconds: number;
  readonly rate: RateMeter;
  /** Latencies of the last minutes. */
  readonly windows = new LatencyWindows();
  readonly recent = new RecentRequests();
  /** Requests received, and those that failed; for /debug/router. */
  arrived = 0;
  failed = 0;
  /** Responses by status, those of the router itself included: 400 to 499, and 500 or above or broken off. */
  clientErrors = 0;
  serverErrors = 0;
  readonly #incomingByModel = new Map<string, Counter>();

  /** @param windowSeconds Window over which rates are computed. */
  constructor(registry: MetricsRegistry, windowSeconds: number) {
    this.windowSeconds = windowSeconds;
    this.rate = new RateMeter({ windowSeconds: Math.min(windowSeconds, 10) });
    const seriesMax = modelSeriesMax;
    this.incoming = registry.counter({
      name: 'vllm:num_incoming_requests',
      help: 'Requests received by the router, by model.',
      labels: ['model'],
      seriesMax,
    });
    this.errors = registry.counter({
      name: 'vllm:request_errors',
      help: 'Requests that failed, by engine, model and kind of failure.',
      labels: ['server', 'model', 'error_type'],
      seriesMax,
    });
    this.latency = registry.histogram({
      name: 'vllm:request_latency_seconds',
      help: 'Time from receiving a request to the end of its response, in seconds.',
      labels: ['server', 'model', 'status'],
      bounds: latencyBounds,
      seriesMax,
    });
    this.inputTokens = registry.counter({
      name: 'vllm:input_tokens',
      help: 'Prompt tokens, as reported in responses.',
      labels: ['server', 'model'],
      seriesMax,
    });
    this.outputTokens = registry.counter({
      name: 'vllm:output_tokens',
      help: 'Generated tokens, as reported in responses.',
      labels: ['server', 'model'],
      seriesMax,
    });
    this.requests = registry.counter({
      name: 'spillway_router_requests',
      help: 'Finished requests, by engine and outcome.',
      labels: ['server', 'outcome'],
    });
    this.reroutes = registry.counter({
      name: 'spillway_router_reroutes',
      help: 'Requests rerouted to another engine because this one failed before the response started.',
      labels: ['server'],
    });
    this.deadlines = registry.counter({
      name: 'spillway_router_deadlines_expired',
      help: 'Deadlines that expired, by engine and kind: firstByte, streamIdle, engineStall, or total (that of the request).',
      labels: ['server', 'deadline'],
    });
    this.stalls = registry.counter({
      name: 'spillway_router_engine_stalls',
      help: 'Times that the engine was ejected because none of its streams had data for too long.',
      labels: ['server'],
    });
    this.migrations = registry.counter({
      name: 'spillway_router_stream_migrations',
      help: 'Streams whose engine failed, by outcome (moved, completed, declined or failed) and reason.',
      labels: ['outcome', 'reason'],
    });
    this.handoffs = registry.counter({
      name: 'spillway_router_prefill_handoffs',
      help: 'Requests by what became of their prefill on another engine: transferred (the engine that decodes was told where the KV is), stored (it finds the KV by itself), lost (the prompt was computed again), short (most of it was cached where it is decoded), or unavailable (no engine prefilled).',
      labels: ['outcome'],
    });
    this.hedges = registry.counter({
      name: 'spillway_router_hedges',
      help: 'Requests that were also sent to a second engine because the first byte of this one was late, by outcome: won (the second response was used), lost (the first was used), failed (the second engine failed), or cancelled.',
      labels: ['server', 'outcome'],
    });
    this.firstByte = registry.histogram({
      name: 'spillway_router_first_byte_seconds',
      help: 'Time from sending a request to the first byte of the response body, in seconds.',
      labels: ['server'],
      bounds: firstByteBounds,
    });
    this.prediction = registry.histogram({
      name: 'spillway_router_first_byte_prediction_seconds',
      help: 'Time from sending a streamed request to its first byte, in seconds: predicted, actual, and the absolute error of the prediction.',
      labels: ['server', 'value'],
      bounds: firstByteBounds,
    });
    this.picks = registry.counter({
      name: 'spillway_router_picks',
      help: 'Requests sent, by engine and the reason of the pick: prefix, load, turn or session of the policy; pinned, retry, hedge or trial.',
      labels: ['server', 'reason'],
    });
    this.firstToken = registry.histogram({
      name: 'spillway_router_time_to_first_token_seconds',
      help: 'Time from receiving a request to the first byte of its streamed response, in seconds.',
      labels: ['server', 'model'],
      bounds: firstTokenBounds,
      seriesMax,
    });
    this.tokenGap = registry.histogram({
      name: 'spillway_router_inter_token_latency_seconds',
      help: 'Time between the chunks of a streamed response, in seconds; chunks read together share it.',
      labels: ['server', 'model'],
      bounds: tokenGapBounds,
      seriesMax,
    });
    this.cachedTokens = registry.counter({
      name: 'spillway_router_cached_prompt_tokens',
      help: 'Prompt tokens served from the prefix cache, as reported in responses.',
      labels: ['server'],
    });
    this.refusedRequests = registry.counter({
      name: 'spillway_router_refused_requests',
      help: 'Requests refused because no engine could serve them.',
      labels: ['model'],
      seriesMax,
    });
    this.tokenizedPrompts = registry.counter({
      name: 'spillway_router_tokenized_prompts',
      help: 'Prompts whose tokens were known at the pick, by what computed them: the router or an engine.',
      labels: ['by'],
    });
    for (const by of ['router', 'engine']) this.tokenizedPrompts.with({ by });
    this.untokenizedPrompts = registry.counter({
      name: 'spillway_router_untokenized_prompts',
      help: 'Prompts routed by their bytes although engines publish KV events, by the reason why they have no tokens.',
      labels: ['reason'],
    });
  }

  /** Drops the series of a removed engine, once its last request has ended. */
  removeEngine(server: string): void {
    for (const family of [
      ...[this.errors, this.latency, this.inputTokens, this.outputTokens, this.requests],
      ...[
        this.reroutes,
        this.hedges,
        this.deadlines,
        this.stalls,
        this.firstByte,
        this.prediction,
        this.picks,
        this.firstToken,
        this.tokenGap,
        this.cachedTokens,
      ],
    ]) {
      family.table.removeMatching({ server });
    }
    this.windows.removeEngine(server);
  }

  /** Counts a request for a model that some engine serves. */
  routed(model: string | undefined): void {
    const name = model ?? '';
    let counter = this.#incomingByModel.get(name);
    if (counter === undefined) {
      counter = this.incoming.with({ model: name });
      if (this.#incomingByModel.size < modelSeriesMax) this.#incomingByModel.set(name, counter);
    }
    counter.inc();
  }

  /**
   * Counts a request that the router itself refused before it was sent to an engine.
   *
   * @param model Undefined if no engine serves it: clients choose names, so it gets no series.
   */
  refused(model: string | undefined, status: number): void {
    this.failed++;
    if (status < 500) this.clientErrors++;
    else this.serverErrors++;
    this.refusedRequests.with({ model: model ?? 'unknown' }).inc();
  }
}
