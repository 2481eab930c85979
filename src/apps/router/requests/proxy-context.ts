// What all proxied requests of one router share.
import {
  type AttemptWatch,
  defaultRetryPolicy,
  RetryBudget,
  type RetryPolicy,
} from '../../../core/attempts/index.ts';
import type { Clock } from '../../../core/base/index.ts';
import { TranscriptBudget, UsualEvents } from '../../../core/migration/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { UpstreamPool } from '../../../io/http/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { RouterOptions } from '../options.ts';
import { authorizationOf } from '../settings/keys.ts';
import { AttemptIds } from './attempt-ids.ts';
import type { UpstreamHeadParts } from './proxy-heads.ts';
import type { RouterAdmission } from './router-admission.ts';
import type { RouterHedging } from './router-hedging.ts';
import type { SseKeepAlive } from './sse-keep-alive.ts';
import type { MigrationContext } from './stream-migration.ts';

/** An engine as the proxy needs it. */
export interface ProxyTarget {
  readonly url: string;
  /** Its name with its URL, for logs and error messages. */
  readonly label: string;
  /** Header lines of responses that name the engine, each with CR LF. */
  readonly headerLines: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Path in the engine's URL, without a trailing slash. */
  readonly basePath: string;
  readonly pool: UpstreamPool;
  readonly metrics: EngineMetrics;
}

/** What all proxied requests share. */
export interface ProxyContext {
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  /** When a request may be sent to another engine. */
  readonly retryPolicy: RetryPolicy;
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
  readonly authorization: UpstreamHeadParts['authorization'];
  /** Whether responses state why their engine was picked. */
  readonly pickHeader: boolean;
  target(url: string): ProxyTarget;
  /** Called if there is no connection: the engine is dead until a probe succeeds. */
  engineFailed(url: string, why: string): void;
  /** Called if an attempt broke or took too long: the engine's health is checked now. */
  engineSuspected(url: string): void;
  /** A request id that no other attempt in flight has. */
  attemptId(requestId: string): string;
  attemptEnded(attemptId: string): void;
}

export function proxyContext(parts: {
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  /** By URL; every engine that can be picked is among them. */
  readonly engines: ReadonlyMap<string, Engine>;
  readonly options: RouterOptions;
  readonly clock: Clock;
  readonly watch: AttemptWatch;
  readonly admission: RouterAdmission | undefined;
  readonly hedging?: RouterHedging | undefined;
  readonly keepAlive?: SseKeepAlive | undefined;
}): ProxyContext {
  const { core, metrics, engines, options, clock, watch, admission, hedging, keepAlive } = parts;
  const attemptIds = new AttemptIds();
  return {
    core,
    metrics,
    watch,
    admission,
    keepAlive,
    hedging,
    log: options.log,
    retryPolicy: {
      ...defaultRetryPolicy,
      reroutesMax: options.reroutesMax ?? defaultRetryPolicy.reroutesMax,
    },
    migration: {
      isOn: options.migration ?? true,
      budget: new TranscriptBudget(),
      usual: new UsualEvents(),
      counter: metrics.migrations,
    },
    retryBudget: new RetryBudget(clock),
    authorization: authorizationOf(options),
    pickHeader: options.pickHeader ?? true,
    target: (url) => engines.get(url) as Engine,
    engineFailed: (url, why) => engines.get(url)?.failed(why),
    engineSuspected: (url) => engines.get(url)?.suspect(),
    attemptId: (requestId) => attemptIds.begin(requestId),
    attemptEnded: (attemptId) => attemptIds.end(attemptId),
  };
}
