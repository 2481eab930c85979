// The spans of a proxied request that is over and whose trace is kept.
import type { AttemptOutcome } from '../../../core/attempts/index.ts';
import type { Outcome } from '../../../core/routing/index.ts';
import {
  type Attributes,
  requestAttributes,
  type Span,
  type SpanEvent,
  type TraceContext,
} from '../../../core/telemetry/index.ts';
import type { AttemptTrace } from './attempt-trace.ts';
import { engineAttributes, type RouteAttributes, routeAttributes } from './shared-attributes.ts';

/** A request that has ended, as its trace tells of it. */
export interface TracedEnd {
  readonly outcome: AttemptOutcome;
  /** Of the response. */
  readonly status: number;
  /** What is known of its tokens. */
  readonly tokens: Outcome | undefined;
  readonly ttftSeconds: number | undefined;
}

export interface EndedTrace {
  readonly traceId: string;
  readonly caller: TraceContext | undefined;
  readonly traceState: string | undefined;
  readonly method: string;
  /** Of the request, with its query. */
  readonly target: string;
  /** Of the request; undefined if it could not be read. */
  readonly id: string | undefined;
  readonly model: string | undefined;
  readonly outputTokensMax: number | undefined;
  /** The last one, with those before it; undefined if the request was not sent. */
  readonly last: AttemptTrace | undefined;
  readonly end: TracedEnd;
  readonly keptFor: string;
  /** By `performance.now()`. */
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  /** Unix time when `performance.now()` was 0. */
  readonly originMs: number;
}

/**
 * @param spanId Of the span of the client's request.
 * @returns That span first, then those of the requests to engines.
 */
export function requestSpans(trace: EndedTrace, spanId: string): Span[] {
  const { end, last, originMs, caller } = trace;
  const route = routeAttributes(trace.method, trace.target);
  const attempts = attemptsUntil(last);
  const first = attempts[0];
  const result = resultAttributes(trace, end);
  const events: SpanEvent[] = [];
  const clients: Span[] = [];
  for (const attempt of attempts) {
    const pick = attempt.pickAttributes;
    const engine = engineAttributes(attempt.engine);
    events.push({
      name: 'spillway.attempt',
      atMs: originMs + attempt.sentAtMs,
      shared: [engine.identity],
      attributes: { 'spillway.attempt.number': events.length + 1, ...pick },
    });
    const of = attempt === last ? result : resultAttributes(trace, undefined);
    clients.push(clientSpan(trace, spanId, attempt, route, { ...pick, ...of }));
  }
  // By the conventions, what is the client's fault is no error of a server's span.
  const isBroken = end.outcome === 'failed' && end.status < 400;
  const isError = end.status >= 500 || isBroken;
  const server: Span = {
    name: route.name,
    kind: 'server',
    traceId: trace.traceId,
    spanId,
    parentSpanId: caller?.spanId,
    isParentRemote: caller !== undefined,
    traceState: trace.traceState,
    startMs: originMs + trace.arrivedAtMs,
    endMs: originMs + trace.endedAtMs,
    shared: [route.request, route.server],
    attributes: {
      'http.response.status_code': end.status,
      'spillway.request.id': trace.id,
      'spillway.outcome': end.outcome,
      'spillway.kept_for': trace.keptFor,
      'spillway.attempts': attempts.length,
      'spillway.queue_seconds': first && (first.sentAtMs - trace.arrivedAtMs) / 1000,
      ...result,
    },
    events,
    error: isError ? (last?.why ?? `status ${end.status}`) : undefined,
  };
  return [server, ...clients];
}

function clientSpan(
  trace: EndedTrace,
  serverSpanId: string,
  attempt: AttemptTrace,
  route: RouteAttributes,
  attributes: Attributes,
): Span {
  const { engine } = attempt;
  const { identity, address } = engineAttributes(engine);
  return {
    name: `${route.operation ?? trace.method} ${trace.model ?? ''}`.trim(),
    kind: 'client',
    traceId: trace.traceId,
    spanId: attempt.spanId,
    parentSpanId: serverSpanId,
    isParentRemote: false,
    traceState: trace.traceState,
    startMs: trace.originMs + attempt.sentAtMs,
    endMs: trace.originMs + (attempt.endedAtMs ?? trace.endedAtMs),
    shared: [route.request, identity, address],
    attributes: {
      'url.full': engine.url + route.path,
      'http.response.status_code': attempt.status,
      'spillway.outcome': attempt.outcome,
      'spillway.first_byte_seconds': attempt.firstByteSeconds,
      ...attributes,
    },
    events: [],
    error: attempt.outcome === 'failed' ? whyFailed(attempt) : undefined,
  };
}

/** An engine that responded with an error has no other reason than its status. */
function whyFailed({ why, status }: AttemptTrace): string {
  return why ?? (status !== undefined && status >= 400 ? `status ${status}` : 'failed');
}

/** @param end Undefined for an attempt that was not the last one. */
function resultAttributes(
  { model, outputTokensMax }: EndedTrace,
  end: TracedEnd | undefined,
): Attributes {
  return requestAttributes({
    ...{ model, outputTokensMax },
    inputTokens: end?.tokens?.promptTokens,
    outputTokens: end?.tokens?.outputTokens,
    cachedTokens: end?.tokens?.cachedTokens,
    firstTokenSeconds: end?.ttftSeconds,
  });
}

/** In their order. */
function attemptsUntil(last: AttemptTrace | undefined): AttemptTrace[] {
  const attempts: AttemptTrace[] = [];
  for (let attempt = last; attempt !== undefined; attempt = attempt.before) {
    attempts.unshift(attempt);
  }
  return attempts;
}
