// The trace of one proxied request: a few numbers while it runs, spans when it is over and its trace is kept.
import type { Exemplar } from '../../../core/base/index.ts';
import type { Pick, PickCause, RoutingRequest } from '../../../core/routing/index.ts';
import {
  formatTraceparent,
  isSampledIn,
  joinTraceState,
  parseTraceparent,
  type TraceContext,
  traceIdOf,
} from '../../../core/telemetry/index.ts';
import type { Headers, ServerExchange } from '../../../io/http/index.ts';
import type { Tracing } from '../../../io/otlp/index.ts';
import { AttemptTrace } from './attempt-trace.ts';
import { type EndedTrace, requestSpans, type TracedEnd } from './request-spans.ts';
import type { TracedEngine } from './shared-attributes.ts';

/** What the client did before an answer; no error of the server. */
const clientLeftStatus = 499;

export class RequestTrace {
  readonly #tracing: Tracing;
  readonly #exchange: ServerExchange;
  readonly #arrivedAtMs: number;
  readonly #caller: TraceContext | undefined;
  /** Context of a trace that begins here, and of its first attempt; undefined if the caller has begun it. */
  readonly #own: string | undefined;
  /** Undefined until the request is sent. */
  #last: AttemptTrace | undefined = undefined;

  /** @param arrivedAtMs By `performance.now()`, as all times here. */
  constructor(tracing: Tracing, exchange: ServerExchange, arrivedAtMs: number) {
    const parent = exchange.head.headers.get('traceparent');
    const caller = parent === undefined ? undefined : parseTraceparent(parent);
    this.#tracing = tracing;
    this.#exchange = exchange;
    this.#arrivedAtMs = arrivedAtMs;
    this.#caller = caller;
    this.#own = caller === undefined ? tracing.newTrace() : undefined;
  }

  get traceId(): string {
    return this.#caller?.traceId ?? traceIdOf(this.#own as string);
  }

  get #isSampled(): boolean {
    return this.#caller?.isSampled ?? isSampledIn(this.#own as string);
  }

  /** The request is sent to an engine. */
  attempt(engine: TracedEngine, pick: Pick, cause: PickCause, nowMs: number): AttemptTrace {
    const last = this.#last;
    const traceparent = (last === undefined && this.#own) || this.#nextContext();
    const attempt = new AttemptTrace(last, engine, pick, cause, traceparent, nowMs);
    this.#last = attempt;
    return attempt;
  }

  /**
   * The request is over: exports its spans if the trace is kept.
   *
   * @param request Undefined if it could not be read.
   * @returns Whether it is kept.
   */
  ended(request: RoutingRequest | undefined, end: TracedEnd, nowMs: number): boolean {
    const { sampler, exporter, ids, unixMs } = this.#tracing;
    const isRefused = end.status >= 400 && end.status !== clientLeftStatus;
    const keptFor = sampler.tail(this.#isSampled, {
      isError: isRefused || end.outcome === 'failed',
      seconds: (nowMs - this.#arrivedAtMs) / 1000,
      inputTokens: end.tokens?.promptTokens ?? request?.promptTokens ?? 0,
      outputTokens: end.tokens?.outputTokens ?? 0,
    });
    if (keptFor === undefined) return false;
    const { head, target } = this.#exchange;
    const caller = this.#caller;
    // Of the request, only what the spans need: its prompt can be large.
    const { id, model, outputTokensMax } = request ?? {};
    const trace: EndedTrace = {
      traceId: this.traceId,
      caller,
      traceState: caller && stateOf(head.headers),
      method: head.method,
      target,
      ...{ id, model, outputTokensMax },
      last: this.#last,
      end,
      keptFor,
      arrivedAtMs: this.#arrivedAtMs,
      endedAtMs: nowMs,
      // The clocks drift apart, so their distance is taken when it is needed.
      originMs: unixMs() - nowMs,
    };
    exporter.addLater(() => requestSpans(trace, ids.spanId()), keptFor);
    return true;
  }

  /** An observation of this request, for a histogram. */
  exemplar(value: number): Exemplar {
    return { value, traceId: this.traceId, atSeconds: this.#tracing.unixMs() / 1000 };
  }

  /** Context of an attempt other than the first one of a trace that begins here. */
  #nextContext(): string {
    return formatTraceparent(this.traceId, this.#tracing.ids.spanId(), this.#isSampled);
  }
}

function stateOf({ names, values }: Headers): string | undefined {
  const states = values.filter((_, i) => names[i] === 'tracestate');
  return states.length === 0 ? undefined : joinTraceState(states);
}
