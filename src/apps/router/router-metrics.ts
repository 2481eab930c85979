// The router's metrics: upstream's names where upstream has them, ours beside.
import type { Histogram } from '../../core/base/index.ts';
import type { Counter, MetricsRegistry } from '../../core/metrics/index.ts';
import type { Outcome } from '../../core/routing/index.ts';
import { RateMeter } from './rate-meter.ts';

/** Seconds; vLLM's buckets for end-to-end latency, with finer ones in front. */
const latencyBounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240, 480,
];
const firstByteBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 20, 40, 80,
];
/** Most models with series of their own; clients cannot make more than engines serve. */
const modelSeriesMax = 1_000;

/** The families, declared once per router. */
export class RouterMetrics {
  readonly incoming;
  readonly errors;
  readonly latency;
  readonly inputTokens;
  readonly outputTokens;
  readonly requests;
  readonly reroutes;
  readonly firstByte;
  readonly cachedTokens;
  readonly refusedRequests;
  readonly rate: RateMeter;
  /** Requests that came, and those that failed; for the router's view of itself. */
  arrived = 0;
  failed = 0;
  readonly #windowSeconds: number;
  readonly #incomingByModel = new Map<string, Counter>();

  /** @param windowSeconds Over which rates are taken. */
  constructor(registry: MetricsRegistry, windowSeconds: number) {
    this.#windowSeconds = windowSeconds;
    this.rate = new RateMeter({ windowSeconds: Math.min(windowSeconds, 10) });
    const seriesMax = modelSeriesMax;
    this.incoming = registry.counter({
      name: 'vllm:num_incoming_requests',
      help: 'Requests that came to the router, by model.',
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
      help: 'From the arrival of a request to the last byte of its answer.',
      labels: ['server', 'model', 'status'],
      bounds: latencyBounds,
      seriesMax,
    });
    this.inputTokens = registry.counter({
      name: 'vllm:input_tokens',
      help: 'Prompt tokens, where the answer told them.',
      labels: ['server', 'model'],
      seriesMax,
    });
    this.outputTokens = registry.counter({
      name: 'vllm:output_tokens',
      help: 'Generated tokens, where the answer told them.',
      labels: ['server', 'model'],
      seriesMax,
    });
    this.requests = registry.counter({
      name: 'spillway_router_requests',
      help: 'Requests that ended, by engine and outcome.',
      labels: ['server', 'outcome'],
    });
    this.reroutes = registry.counter({
      name: 'spillway_router_reroutes',
      help: 'Requests sent to another engine after this one failed them before the first byte.',
      labels: ['server'],
    });
    this.firstByte = registry.histogram({
      name: 'spillway_router_first_byte_seconds',
      help: 'From sending a request to the first byte of the body of its answer.',
      labels: ['server'],
      bounds: firstByteBounds,
    });
    this.cachedTokens = registry.counter({
      name: 'spillway_router_cached_prompt_tokens',
      help: 'Prompt tokens that engines took from their prefix cache, where the answer told them.',
      labels: ['server'],
    });
    this.refusedRequests = registry.counter({
      name: 'spillway_router_refused_requests',
      help: 'Requests that no engine could take.',
      labels: ['model'],
      seriesMax,
    });
  }

  engine(url: string): EngineMetrics {
    return new EngineMetrics(this, url, this.#windowSeconds);
  }

  /** A request for a model that some engine serves. */
  routed(model: string | undefined): void {
    const name = model ?? '';
    let counter = this.#incomingByModel.get(name);
    if (counter === undefined) {
      counter = this.incoming.with({ model: name });
      if (this.#incomingByModel.size < modelSeriesMax) this.#incomingByModel.set(name, counter);
    }
    counter.inc();
  }

  /** @param model undefined when no engine knows it: clients choose names, so it gets no series. */
  refused(model: string | undefined): void {
    this.failed++;
    this.refusedRequests.with({ model: model ?? 'unknown' }).inc();
  }
}

interface ModelSeries {
  readonly latencyByStatus: Map<number, Histogram>;
  readonly inputTokens: Counter;
  readonly outputTokens: Counter;
}

/** The series of one engine, looked up once and kept, because every request counts in them. */
class EngineMetrics {
  readonly firstByteSeconds: Histogram;
  readonly reroutes: Counter;
  readonly rate: RateMeter;
  readonly #families: RouterMetrics;
  readonly #server: string;
  #latencySum = 0;
  #latencyCount = 0;
  readonly #completed: Counter;
  readonly #cancelled: Counter;
  readonly #failed: Counter;
  readonly #cachedTokens: Counter;
  readonly #models = new Map<string, ModelSeries>();

  constructor(families: RouterMetrics, url: string, windowSeconds: number) {
    this.rate = new RateMeter({ windowSeconds });
    this.#families = families;
    this.#server = url;
    const outcome = (status: Outcome['status']) =>
      families.requests.with({ server: url, outcome: status });
    this.firstByteSeconds = families.firstByte.with({ server: url });
    this.reroutes = families.reroutes.with({ server: url });
    this.#completed = outcome('completed');
    this.#cancelled = outcome('cancelled');
    this.#failed = outcome('failed');
    this.#cachedTokens = families.cachedTokens.with({ server: url });
  }

  /** Over all requests that ended; 0 before the first. */
  get meanLatencySeconds(): number {
    return this.#latencyCount === 0 ? 0 : this.#latencySum / this.#latencyCount;
  }

  error(model: string | undefined, kind: string): void {
    this.#families.errors
      .with({ server: this.#server, model: model ?? '', error_type: kind })
      .inc();
  }

  finished(model: string | undefined, status: number, outcome: Outcome, seconds: number): void {
    if (outcome.status === 'completed') this.#completed.inc();
    else if (outcome.status === 'cancelled') this.#cancelled.inc();
    else {
      this.#failed.inc();
      this.#families.failed++;
    }
    this.#latencySum += seconds;
    this.#latencyCount++;
    const series = this.#seriesOf(model ?? '');
    let latency = series.latencyByStatus.get(status);
    if (latency === undefined) {
      const labels = { server: this.#server, model: model ?? '', status: String(status) };
      latency = this.#families.latency.with(labels);
      series.latencyByStatus.set(status, latency);
    }
    latency.observe(seconds);
    if (outcome.promptTokens) series.inputTokens.inc(outcome.promptTokens);
    if (outcome.outputTokens) series.outputTokens.inc(outcome.outputTokens);
    if (outcome.cachedTokens) this.#cachedTokens.inc(outcome.cachedTokens);
  }

  #seriesOf(model: string): ModelSeries {
    let series = this.#models.get(model);
    if (series === undefined) {
      const labels = { server: this.#server, model };
      series = {
        latencyByStatus: new Map(),
        inputTokens: this.#families.inputTokens.with(labels),
        outputTokens: this.#families.outputTokens.with(labels),
      };
      if (this.#models.size < modelSeriesMax) this.#models.set(model, series);
    }
    return series;
  }
}

export type { EngineMetrics };
