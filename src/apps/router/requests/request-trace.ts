// The trace of one proxied request: a few numbers while it runs, spans when it is over and its trace is kept.
import type { AttemptOutcome } from '../../../core/attempts/index.ts';
import type { Exemplar } from '../../../core/base/index.ts';
import type { Outcome, Pick, PickCause, RoutingRequest } from '../../../core/routing/index.ts';
import {
  type Attributes,
  formatTraceparent,
  genAiAttributes,
  genAiOperation,
  joinTraceState,
  parseTraceparent,
  type Span,
  type TraceContext,
} from '../../../core/telemetry/index.ts';
import type { Headers, ServerExchange } from '../../../io/http/index.ts';
import type { Tracing } from '../../../io/otlp/index.ts';

/** What the client did before an answer; no error of the server. */
const clientLeftStatus = 499;

/** A request that has ended, as its trace tells of it. */
export interface TracedEnd {
  readonly outcome: AttemptOutcome;
  /** Of the response. */
  readonly status: number;
  /** What is known of its tokens. */
  readonly tokens: Outcome | undefined;
  readonly ttftSeconds: number | undefined;
}

/** An engine as an attempt names it. */
export interface TracedEngine {
  readonly url: string;
  readonly name: string;
}

export class RequestTrace {
  readonly #tracing: Tracing;
  readonly #method: string;
  readonly #path: string;
  readonly #arrivedAtMs: number;
  readonly #caller: TraceContext | undefined;
  readonly #traceState: string | undefined;
  readonly #isSampled: boolean;
  readonly #spanId: string;
  readonly #attempts: AttemptTrace[] = [];
  readonly traceId: string;

  /** @param arrivedAtMs By `performance.now()`, as all times here. */
  constructor(tracing: Tracing, { head, target }: ServerExchange, arrivedAtMs: number) {
    const { ids, sampler } = tracing;
    const parent = head.headers.get('traceparent');
    this.#tracing = tracing;
    this.#method = head.method;
    this.#path = pathOf(target);
    this.#arrivedAtMs = arrivedAtMs;
    this.#caller = parent === undefined ? undefined : parseTraceparent(parent);
    this.#traceState = this.#caller && stateOf(head.headers);
    this.traceId = this.#caller?.traceId ?? ids.traceId();
    this.#spanId = ids.spanId();
    this.#isSampled = sampler.head(this.traceId, this.#caller?.isSampled);
  }

  /** The request is sent to an engine. */
  attempt(engine: TracedEngine, pick: Pick, cause: PickCause, nowMs: number): AttemptTrace {
    const spanId = this.#tracing.ids.spanId();
    const traceparent = formatTraceparent(this.traceId, spanId, this.#isSampled);
    const attempt = new AttemptTrace({ engine, pick, cause, spanId, traceparent, sentAtMs: nowMs });
    this.#attempts.push(attempt);
    return attempt;
  }

  /**
   * The request is over: exports its spans if the trace is kept.
   *
   * @param request Undefined if it could not be read.
   * @returns Whether it is kept.
   */
  ended(request: RoutingRequest | undefined, end: TracedEnd, nowMs: number): boolean {
    const { sampler, exporter } = this.#tracing;
    const isRefused = end.status >= 400 && end.status !== clientLeftStatus;
    const keptFor = sampler.tail(this.#isSampled, {
      isError: isRefused || end.outcome === 'failed',
      seconds: (nowMs - this.#arrivedAtMs) / 1000,
      inputTokens: end.tokens?.promptTokens ?? request?.promptTokens ?? 0,
      outputTokens: end.tokens?.outputTokens ?? 0,
    });
    if (keptFor === undefined) return false;
    exporter.add(this.#spans(request, end, keptFor, nowMs), keptFor);
    return true;
  }

  /** An observation of this request, for a histogram. */
  exemplar(value: number): Exemplar {
    return { value, traceId: this.traceId, atSeconds: this.#tracing.unixMs() / 1000 };
  }

  /** The span of the client's request first, then those of the requests to engines. */
  #spans(
    request: RoutingRequest | undefined,
    end: TracedEnd,
    keptFor: string,
    nowMs: number,
  ): Span[] {
    // The clocks drift apart, so their distance is taken when it is needed.
    const unixMs = this.#tracing.unixMs() - nowMs;
    const attempts = this.#attempts;
    const first = attempts[0];
    const shared = {
      ...{ traceId: this.traceId, traceState: this.#traceState },
      ...{ isParentRemote: false, events: [] },
    };
    // By the conventions, what is the client's fault is no error of a server's span.
    const isBroken = end.outcome === 'failed' && end.status < 400;
    const isError = end.status >= 500 || isBroken;
    const server: Span = {
      ...shared,
      name: `${this.#method} ${this.#path}`,
      kind: 'server',
      spanId: this.#spanId,
      parentSpanId: this.#caller?.spanId,
      isParentRemote: this.#caller !== undefined,
      startMs: unixMs + this.#arrivedAtMs,
      endMs: unixMs + nowMs,
      attributes: {
        'http.request.method': this.#method,
        'http.route': this.#path,
        'url.path': this.#path,
        'http.response.status_code': end.status,
        'spillway.request.id': request?.id,
        'spillway.outcome': end.outcome,
        'spillway.kept_for': keptFor,
        'spillway.attempts': attempts.length,
        'spillway.queue_seconds': first && (first.sentAtMs - this.#arrivedAtMs) / 1000,
        ...this.#genAi(request, end),
      },
      events: attempts.map((attempt, index) => ({
        name: 'spillway.attempt',
        atMs: unixMs + attempt.sentAtMs,
        attributes: { 'spillway.attempt.number': index + 1, ...attempt.pickAttributes },
      })),
      error: isError ? (attempts.at(-1)?.why ?? `status ${end.status}`) : undefined,
    };
    const clients = attempts.map((attempt, index): Span => {
      const isLast = index === attempts.length - 1;
      return {
        ...shared,
        name: `${genAiOperation(this.#path) ?? this.#method} ${request?.model ?? ''}`.trim(),
        kind: 'client',
        spanId: attempt.spanId,
        parentSpanId: this.#spanId,
        startMs: unixMs + attempt.sentAtMs,
        endMs: unixMs + (attempt.endedAtMs ?? nowMs),
        attributes: {
          'http.request.method': this.#method,
          'url.full': attempt.engine.url + this.#path,
          'http.response.status_code': attempt.status,
          ...addressOf(attempt.engine.url),
          'spillway.outcome': attempt.outcome,
          'spillway.first_byte_seconds': attempt.firstByteSeconds,
          ...attempt.pickAttributes,
          ...(isLast ? this.#genAi(request, end) : this.#genAi(request, undefined)),
        },
        error: attempt.outcome === 'failed' ? (attempt.why ?? 'failed') : undefined,
      };
    });
    return [server, ...clients];
  }

  #genAi(request: RoutingRequest | undefined, end: TracedEnd | undefined): Attributes {
    return genAiAttributes({
      operation: genAiOperation(this.#path),
      model: request?.model,
      outputTokensMax: request?.outputTokensMax,
      inputTokens: end?.tokens?.promptTokens,
      outputTokens: end?.tokens?.outputTokens,
      cachedTokens: end?.tokens?.cachedTokens,
      firstTokenSeconds: end?.ttftSeconds,
    });
  }
}

/** One attempt on an engine. */
export class AttemptTrace {
  readonly engine: TracedEngine;
  readonly spanId: string;
  /** Header of the request to the engine. */
  readonly traceparent: string;
  readonly sentAtMs: number;
  readonly #pick: Pick;
  readonly #cause: PickCause;
  firstByteSeconds: number | undefined = undefined;
  endedAtMs: number | undefined = undefined;
  status: number | undefined = undefined;
  outcome: AttemptOutcome | undefined = undefined;
  why: string | undefined = undefined;

  constructor(parts: {
    readonly engine: TracedEngine;
    readonly pick: Pick;
    readonly cause: PickCause;
    readonly spanId: string;
    readonly traceparent: string;
    readonly sentAtMs: number;
  }) {
    this.engine = parts.engine;
    this.spanId = parts.spanId;
    this.traceparent = parts.traceparent;
    this.sentAtMs = parts.sentAtMs;
    this.#pick = parts.pick;
    this.#cause = parts.cause;
  }

  firstByte(nowMs: number): void {
    this.firstByteSeconds = (nowMs - this.sentAtMs) / 1000;
  }

  ended(outcome: AttemptOutcome, why: string | undefined, nowMs: number): void {
    this.outcome = outcome;
    this.endedAtMs = nowMs;
    this.why = why;
  }

  get pickAttributes(): Attributes {
    const { reason, cachedTokens, predictedSeconds } = this.#pick;
    return {
      'spillway.engine': this.engine.name,
      'spillway.engine.url': this.engine.url,
      'spillway.pick.cause': this.#cause,
      'spillway.pick.reason': reason,
      'spillway.pick.expected_cached_tokens': cachedTokens,
      'spillway.pick.predicted_first_byte_seconds': predictedSeconds,
    };
  }
}

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}

function stateOf({ names, values }: Headers): string | undefined {
  const states = values.filter((_, i) => names[i] === 'tracestate');
  return states.length === 0 ? undefined : joinTraceState(states);
}

function addressOf(url: string): Attributes {
  const { hostname, port, protocol } = new URL(url);
  return {
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
  };
}
