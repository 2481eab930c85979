// The router's metrics of one engine.
import type { Exemplar, Histogram } from '../../../core/base/index.ts';
import type { Counter } from '../../../core/metrics/index.ts';
import type { Outcome, PickCause } from '../../../core/routing/index.ts';
import type { LatencyRecorder } from './latency-windows.ts';
import { modelSeriesMax } from './model-series.ts';
import { RateMeter } from './rate-meter.ts';
import type { RouterMetrics } from './router-metrics.ts';

interface ModelSeries {
  readonly latencyByStatus: Map<number, Histogram>;
  readonly inputTokens: Counter;
  readonly outputTokens: Counter;
  /** Created with the first generation request. */
  windows: LatencyRecorder | undefined;
  /** Created with the first streamed response. */
  stream: StreamSeries | undefined;
}

interface PredictionSeries {
  readonly predicted: Histogram;
  readonly actual: Histogram;
  readonly error: Histogram;
}

/** What is measured while a response streams. */
export interface StreamSeries {
  readonly firstTokenSeconds: Histogram;
  readonly tokenGapSeconds: Histogram;
  readonly windows: LatencyRecorder;
}

/** A request whose last attempt has ended. */
export interface FinishedRequest {
  readonly model: string | undefined;
  /** Of the response. */
  readonly status: number;
  readonly outcome: Outcome;
  /** From its arrival to its end. */
  readonly seconds: number;
  /** Whether it generates text; other requests, such as embeddings, have no latency percentiles. */
  readonly generates: boolean;
  /** Mean time per output token after the first; undefined if the response was not streamed. */
  readonly tokenSeconds: number | undefined;
  readonly nowSeconds: number;
  /** Of a trace that is kept. */
  readonly exemplar?: Exemplar | undefined;
}

/** The series of one engine, looked up once and kept, because every request counts in them. */
export class EngineMetrics {
  readonly reroutes: Counter;
  readonly stalls: Counter;
  readonly rate: RateMeter;
  /** Responses with a status of 400 to 499. */
  clientErrors = 0;
  /** Responses with a status of 500 or above, and those that broke off. */
  serverErrors = 0;
  readonly #families: RouterMetrics;
  readonly #server: string;
  readonly #firstByteSeconds: Histogram;
  /** Created with the first prediction. */
  #predictions: PredictionSeries | undefined;
  /** One entry per cause that has occurred. */
  readonly #picks = new Map<PickCause, Counter>();
  #latencySum = 0;
  #latencyCount = 0;
  readonly #completed: Counter;
  readonly #cancelled: Counter;
  readonly #failed: Counter;
  readonly #cachedTokens: Counter;
  readonly #models = new Map<string, ModelSeries>();

  constructor(families: RouterMetrics, url: string) {
    this.rate = new RateMeter({ windowSeconds: families.windowSeconds });
    this.#families = families;
    this.#server = url;
    const outcome = (status: Outcome['status']) =>
      families.requests.with({ server: url, outcome: status });
    this.#firstByteSeconds = families.firstByte.with({ server: url });
    this.reroutes = families.reroutes.with({ server: url });
    this.stalls = families.stalls.with({ server: url });
    this.#completed = outcome('completed');
    this.#cancelled = outcome('cancelled');
    this.#failed = outcome('failed');
    this.#cachedTokens = families.cachedTokens.with({ server: url });
  }

  /** Mean over all finished requests; 0 before the first. */
  get meanLatencySeconds(): number {
    return this.#latencyCount === 0 ? 0 : this.#latencySum / this.#latencyCount;
  }

  /** Mean gap between the chunks of streamed responses; undefined before the first. */
  get meanTokenGapSeconds(): number | undefined {
    let [sum, count] = [0, 0];
    for (const { stream } of this.#models.values()) {
      sum += stream?.tokenGapSeconds.sum ?? 0;
      count += stream?.tokenGapSeconds.count ?? 0;
    }
    return count === 0 ? undefined : sum / count;
  }

  /** The series of streamed responses of a model. */
  stream(model: string | undefined): StreamSeries {
    const series = this.#seriesOf(model ?? '');
    if (series.stream === undefined) {
      const { firstToken, tokenGap } = this.#families;
      const labels = { server: this.#server, model: model ?? '' };
      series.stream = {
        firstTokenSeconds: firstToken.with(labels),
        tokenGapSeconds: tokenGap.with(labels),
        windows: this.#windowsOf(series, model ?? ''),
      };
    }
    return series.stream;
  }

  /** A request is sent to the engine. */
  picked(cause: PickCause): void {
    let counter = this.#picks.get(cause);
    if (counter === undefined) {
      counter = this.#families.picks.with({ server: this.#server, reason: cause });
      this.#picks.set(cause, counter);
    }
    counter.inc();
  }

  /**
   * The first byte of a response body arrived.
   *
   * @param seconds From the sending of the request.
   * @param predictedSeconds What the policy had predicted, if it had.
   */
  firstByte(seconds: number, predictedSeconds: number | undefined): void {
    this.#firstByteSeconds.observe(seconds);
    if (predictedSeconds === undefined) return;
    this.#predictions ??= this.#predictionSeries();
    this.#predictions.predicted.observe(predictedSeconds);
    this.#predictions.actual.observe(seconds);
    this.#predictions.error.observe(Math.abs(seconds - predictedSeconds));
  }

  #predictionSeries(): PredictionSeries {
    const series = (value: string) =>
      this.#families.prediction.with({ server: this.#server, value });
    return { predicted: series('predicted'), actual: series('actual'), error: series('error') };
  }

  error(model: string | undefined, kind: string): void {
    this.#families.errors
      .with({ server: this.#server, model: model ?? '', error_type: kind })
      .inc();
  }

  finished(request: FinishedRequest): void {
    const { model, status, outcome, seconds } = request;
    if (outcome.status === 'completed') this.#completed.inc();
    else if (outcome.status === 'cancelled') this.#cancelled.inc();
    else {
      this.#failed.inc();
      this.#families.failed++;
    }
    this.#countStatus(status, outcome);
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
    if (request.exemplar !== undefined) latency.exemplify(request.exemplar);
    if (request.generates && outcome.status === 'completed' && status < 400) {
      const windows = this.#windowsOf(series, model ?? '');
      windows.add('e2e', seconds, request.nowSeconds);
      if (request.tokenSeconds !== undefined) {
        windows.add('tpot', request.tokenSeconds, request.nowSeconds);
      }
    }
    if (outcome.promptTokens) series.inputTokens.inc(outcome.promptTokens);
    if (outcome.outputTokens) series.outputTokens.inc(outcome.outputTokens);
    if (outcome.cachedTokens) this.#cachedTokens.inc(outcome.cachedTokens);
  }

  #countStatus(status: number, outcome: Outcome): void {
    if (outcome.status === 'cancelled') return;
    if (outcome.status === 'failed' || status >= 500) {
      this.serverErrors++;
      this.#families.serverErrors++;
    } else if (status >= 400) {
      this.clientErrors++;
      this.#families.clientErrors++;
    }
  }

  #windowsOf(series: ModelSeries, model: string): LatencyRecorder {
    series.windows ??= this.#families.windows.recorder(this.#server, model);
    return series.windows;
  }

  #seriesOf(model: string): ModelSeries {
    let series = this.#models.get(model);
    if (series === undefined) {
      const labels = { server: this.#server, model };
      series = {
        latencyByStatus: new Map(),
        inputTokens: this.#families.inputTokens.with(labels),
        outputTokens: this.#families.outputTokens.with(labels),
        windows: undefined,
        stream: undefined,
      };
      if (this.#models.size < modelSeriesMax) this.#models.set(model, series);
    }
    return series;
  }
}
