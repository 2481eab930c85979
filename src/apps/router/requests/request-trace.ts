// The trace of one proxied request: a few numbers while it runs, spans when it is over and its trace is kept.
import type { AttemptOutcome } from '../../../core/attempts/index.ts';
import type { Exemplar } from '../../../core/base/index.ts';
import type { Outcome, Pick, PickCause, RoutingRequest } from '../../../core/routing/index.ts';
import {
  type Attributes,
  formatTraceparent,
  type GenAiOperation,
  genAiAttributes,
  genAiOperation,
  isSampledIn,
  joinTraceState,
  parseTraceparent,
  type Span,
  type SpanEvent,
  spanIdOf,
  type TraceContext,
  traceIdOf,
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
  /** Of the URL: host name, and port unless it is the protocol's own. */
  readonly host: string;
}

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
    const { head, target } = this.#exchange;
    const caller = this.#caller;
    const path = pathOf(target);
    const operation = genAiOperation(path);
    const attempts = this.#attempts();
    const traceState = caller && stateOf(head.headers);
    const shared = { traceId: this.traceId, traceState, isParentRemote: false, events: [] };
    const spanId = this.#tracing.ids.spanId();
    const ended = genAiOf(operation, request, end);
    // By the conventions, what is the client's fault is no error of a server's span.
    const isBroken = end.outcome === 'failed' && end.status < 400;
    const isError = end.status >= 500 || isBroken;
    const events: SpanEvent[] = [];
    const clients: Span[] = [];
    const first = attempts[0];
    const last = attempts.at(-1);
    for (const attempt of attempts) {
      const atMs = unixMs + attempt.sentAtMs;
      const pick = attempt.pickAttributes;
      events.push({
        ...{ name: 'spillway.attempt', atMs },
        attributes: { 'spillway.attempt.number': events.length + 1, ...pick },
      });
      clients.push({
        ...shared,
        name: `${operation ?? head.method} ${request?.model ?? ''}`.trim(),
        kind: 'client',
        spanId: attempt.spanId,
        parentSpanId: spanId,
        startMs: atMs,
        endMs: unixMs + (attempt.endedAtMs ?? nowMs),
        attributes: {
          'http.request.method': head.method,
          'url.full': attempt.engine.url + path,
          'http.response.status_code': attempt.status,
          ...addressOf(attempt.engine),
          'spillway.outcome': attempt.outcome,
          'spillway.first_byte_seconds': attempt.firstByteSeconds,
          ...pick,
          ...(attempt === last ? ended : genAiOf(operation, request, undefined)),
        },
        error: attempt.outcome === 'failed' ? (attempt.why ?? 'failed') : undefined,
      });
    }
    const server: Span = {
      ...shared,
      name: `${head.method} ${path}`,
      kind: 'server',
      spanId,
      parentSpanId: caller?.spanId,
      isParentRemote: caller !== undefined,
      startMs: unixMs + this.#arrivedAtMs,
      endMs: unixMs + nowMs,
      attributes: {
        'http.request.method': head.method,
        'http.route': path,
        'url.path': path,
        'http.response.status_code': end.status,
        'spillway.request.id': request?.id,
        'spillway.outcome': end.outcome,
        'spillway.kept_for': keptFor,
        'spillway.attempts': attempts.length,
        'spillway.queue_seconds': first && (first.sentAtMs - this.#arrivedAtMs) / 1000,
        ...ended,
      },
      events,
      error: isError ? (last?.why ?? `status ${end.status}`) : undefined,
    };
    return [server, ...clients];
  }

  /** Context of an attempt other than the first one of a trace that begins here. */
  #nextContext(): string {
    return formatTraceparent(this.traceId, this.#tracing.ids.spanId(), this.#isSampled);
  }

  /** In their order. */
  #attempts(): AttemptTrace[] {
    const attempts: AttemptTrace[] = [];
    for (let attempt = this.#last; attempt !== undefined; attempt = attempt.before) {
      attempts.unshift(attempt);
    }
    return attempts;
  }
}

/** @param end Undefined for an attempt that was not the last one. */
function genAiOf(
  operation: GenAiOperation | undefined,
  request: RoutingRequest | undefined,
  end: TracedEnd | undefined,
): Attributes {
  return genAiAttributes({
    operation,
    model: request?.model,
    outputTokensMax: request?.outputTokensMax,
    inputTokens: end?.tokens?.promptTokens,
    outputTokens: end?.tokens?.outputTokens,
    cachedTokens: end?.tokens?.cachedTokens,
    firstTokenSeconds: end?.ttftSeconds,
  });
}

/** One attempt on an engine. */
export class AttemptTrace {
  /** The attempt before it. */
  readonly before: AttemptTrace | undefined;
  readonly engine: TracedEngine;
  /** Header of the request to the engine. */
  readonly traceparent: string;
  readonly sentAtMs: number;
  readonly #pick: Pick;
  readonly #cause: PickCause;
  firstByteSeconds: number | undefined = undefined;
  /** Undefined for an attempt that ended with its request. */
  endedAtMs: number | undefined = undefined;
  status: number | undefined = undefined;
  outcome: AttemptOutcome | undefined = undefined;
  why: string | undefined = undefined;

  constructor(
    before: AttemptTrace | undefined,
    engine: TracedEngine,
    pick: Pick,
    cause: PickCause,
    traceparent: string,
    sentAtMs: number,
  ) {
    this.before = before;
    this.engine = engine;
    this.traceparent = traceparent;
    this.sentAtMs = sentAtMs;
    this.#pick = pick;
    this.#cause = cause;
  }

  get spanId(): string {
    return spanIdOf(this.traceparent);
  }

  firstByte(nowMs: number): void {
    this.firstByteSeconds = (nowMs - this.sentAtMs) / 1000;
  }

  ended(outcome: AttemptOutcome, why: string | undefined): void {
    this.outcome = outcome;
    this.why = why;
    // The request ends with a complete response.
    if (outcome !== 'completed') this.endedAtMs = performance.now();
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

function addressOf({ url, host }: TracedEngine): Attributes {
  const [, address = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const protocolPort = url.startsWith('https:') ? 443 : 80;
  return { 'server.address': address, 'server.port': port ? Number(port) : protocolPort };
}
