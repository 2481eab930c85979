// What metrics, log and /debug/requests keep of one proxied request.
import type { AttemptOutcome, HedgeOutcome } from '../../../core/attempts/index.ts';
import type { Outcome, RoutingRequest } from '../../../core/routing/index.ts';
import type { UpstreamFailure } from '../../../io/http/index.ts';
import { shownFailure } from '../fleet/client-sight.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ProxyTarget } from './proxy-target.ts';
import type { RequestTrace } from './request-trace.ts';
import { ResponseTiming } from './response-timing.ts';
import type { Usage } from './usage.ts';

export interface RequestRecordParts {
  readonly request: RoutingRequest;
  /** Whether the response is generated text. */
  readonly generates: boolean;
  readonly arrivedAtMs: number;
}

export class RequestRecord {
  readonly timing: ResponseTiming;
  readonly #context: Pick<ProxyContext, 'log' | 'metrics' | 'sight'>;
  readonly #request: RoutingRequest;
  readonly #generates: boolean;
  readonly #trace: RequestTrace | undefined;
  /** From the arrival to the last sending; undefined before the first. */
  #sentSeconds: number | undefined = undefined;
  #attempts = 0;
  /** Of the last attempt. */
  #outcome: Outcome = { status: 'cancelled' };

  /** @param trace Undefined if the router does not trace. */
  constructor(
    context: Pick<ProxyContext, 'log' | 'metrics' | 'sight'>,
    parts: RequestRecordParts,
    trace?: RequestTrace,
  ) {
    this.#context = context;
    this.#request = parts.request;
    this.#generates = parts.generates;
    this.#trace = trace;
    this.timing = new ResponseTiming(parts.arrivedAtMs);
  }

  /** The request is being sent. Writes the log line that upstream's end-to-end tests read. */
  sending(url: string): void {
    const nowMs = performance.now();
    this.#sentSeconds = this.timing.seconds(nowMs);
    this.#attempts++;
    if (!this.#context.log.infoEnabled) return;
    const { id, session } = this.#request;
    const at = (performance.timeOrigin + nowMs) / 1000;
    const took = this.#sentSeconds;
    this.#context.log.info(
      `Routing request ${id} with session id ${session ?? 'None'} to ${url} at ${at}, ` +
        `process time = ${took.toFixed(4)}`,
      this.#trace && { trace_id: this.#trace.traceId },
    );
  }

  /** The first byte of an attempt has arrived. */
  firstByte(engine: EngineMetrics, isEventStream: boolean, nowMs: number): void {
    if (!this.#generates || !isEventStream) return;
    this.timing.firstByte(engine.stream(this.#request.model), nowMs);
  }

  /** @param url The engine whose first byte was late. @param hedgeUrl That of the second attempt. */
  hedgeEnded(url: string, hedgeUrl: string | undefined, outcome: HedgeOutcome): void {
    this.#context.log.info(
      `request ${this.#request.id}: ${url} was late, its hedge at ${hedgeUrl} ${outcome}`,
    );
  }

  rerouted(from: ProxyTarget, to: ProxyTarget): void {
    this.#context.log.warning(
      `request ${this.#request.id}: ${from.label} failed, trying ${to.label}`,
    );
  }

  /** @param usage Of a complete response. @returns The outcome of the attempt. */
  attemptEnded(status: AttemptOutcome, usage: Usage | undefined): Outcome {
    this.#outcome = {
      status,
      promptTokens: usage?.promptTokens,
      outputTokens: usage?.outputTokens,
      cachedTokens: usage?.cachedTokens,
    };
    return this.#outcome;
  }

  /** Several engines have written the response: its tokens, in place of those that the last one reported. */
  wroteTokens(outputTokens: number): void {
    this.#outcome = { ...this.#outcome, outputTokens };
  }

  /** The last attempt failed. @returns The message for the client. */
  failed(target: ProxyTarget | undefined, failure: UpstreamFailure | undefined): string {
    const why = failure?.message;
    if (target === undefined) return `The router: ${why}.`;
    const { label, shown } = target;
    this.#context.log.warning(`request ${this.#request.id} failed at ${label}: ${why}`);
    return `Engine ${shown.label}: ${failure && shownFailure(this.#context.sight, failure)}.`;
  }

  /** An error of the router itself. */
  broke(error: unknown): void {
    const what = error instanceof Error ? error.stack : error;
    this.#context.log.error(`request ${this.#request.id}: ${what}`);
  }

  /** No engine got the request. @param isModelKnown Whether any engine serves its model. */
  refused(status: number, isModelKnown = true): void {
    const { model } = this.#request;
    this.#context.metrics.refused(isModelKnown ? model : undefined, status);
  }

  /**
   * The request is over.
   *
   * @param target The last engine that it was sent to; undefined for none.
   * @param status Of its response.
   */
  ended(target: ProxyTarget | undefined, outcome: AttemptOutcome, status: number): void {
    const nowMs = performance.now();
    const { id, model } = this.#request;
    const { outputTokens } = this.#outcome;
    const seconds = this.timing.seconds(nowMs);
    const tokens = this.#outcome;
    const { ttftSeconds } = this.timing;
    const end = { outcome, status, tokens, ttftSeconds };
    const trace = this.#trace?.ended(this.#request, end, nowMs) ? this.#trace : undefined;
    if (trace !== undefined) this.timing.exemplify(trace);
    target?.metrics.finished({
      model,
      status,
      outcome: this.#outcome,
      seconds,
      generates: this.#generates,
      tokenSeconds: this.timing.tokenSeconds(outputTokens, nowMs),
      nowSeconds: nowMs / 1000,
      exemplar: trace?.exemplar(seconds),
    });
    this.#context.metrics.recent.add({
      atSeconds: nowMs / 1000,
      requestId: id,
      model: model ?? null,
      url: target?.url ?? null,
      outcome,
      status,
      ttftSeconds,
      seconds,
      sentSeconds: this.#sentSeconds,
      attempts: this.#attempts,
      promptTokens: this.#outcome.promptTokens ?? this.#request.promptTokens,
      cachedTokens: this.#outcome.cachedTokens,
      outputTokens,
    });
  }
}
