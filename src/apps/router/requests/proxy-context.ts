// What all proxied requests of one router share.
import type { AttemptWatch, RetryBudget, RetryPolicy } from '../../../core/attempts/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { Tracing } from '../../../io/otlp/index.ts';
import type { ClientSight } from '../fleet/client-sight.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { TextTokensOf } from '../tokens/text-tokens-of.ts';
import type { HandoffContext } from './handoff-context.ts';
import type { UpstreamHeadParts } from './proxy-heads.ts';
import type { ProxyTarget } from './proxy-target.ts';
import type { RouterAdmission } from './router-admission.ts';
import type { RouterHedging } from './router-hedging.ts';
import type { SseKeepAlive } from './sse-keep-alive.ts';
import type { MigrationContext } from './stream-migration.ts';

/** What all proxied requests share. */
export interface ProxyContext {
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  /** When a request may be sent to another engine. */
  readonly retryPolicy: RetryPolicy;
  /** The same for requests whose 404 may be about something that one engine keeps, such as a stored response. */
  readonly keptRetryPolicy: RetryPolicy;
  /** The same for requests that must not be worked on twice. */
  readonly unrepeatableRetryPolicy: RetryPolicy;
  readonly retryBudget: RetryBudget;
  readonly migration: MigrationContext;
  /** Checks the deadlines of all requests. */
  readonly watch: AttemptWatch;
  /** Undefined if requests do not wait in the router. */
  readonly admission: RouterAdmission | undefined;
  /** Undefined if silent streams get no comments. */
  readonly keepAlive: SseKeepAlive | undefined;
  /** Undefined if requests are never sent to two engines at once. */
  readonly hedging: RouterHedging | undefined;
  /** Undefined unless some engines prefill for others. */
  readonly handoffs: HandoffContext | undefined;
  /** Undefined if the router does not trace. */
  readonly tracing: Tracing | undefined;
  /** The tokens of a request and its response by the router's own tokenizer; undefined if it never has one. */
  readonly textTokens: TextTokensOf | undefined;
  readonly authorization: UpstreamHeadParts['authorization'];
  /** Whether responses state why their engine was picked. */
  /** What clients see of engines, and of the reasons of picks. */
  readonly sight: ClientSight;
  target(url: string): ProxyTarget;
  /** Called if there is no connection: the engine is dead until a probe succeeds. */
  engineFailed(url: string, why: string): void;
  /** Called if an attempt broke or took too long: the engine's health is checked now. */
  engineSuspected(url: string): void;
  /** Called if it does not have a model that it listed: its models are read now. */
  modelMissing(url: string): void;
  /** A request id that no other attempt in flight has. */
  attemptId(requestId: string): string;
  attemptEnded(attemptId: string): void;
}
