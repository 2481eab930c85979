// Makes what all proxied requests of one router share, from its options.
import {
  type AttemptWatch,
  defaultRetryPolicy,
  RetryBudget,
  unrepeatable,
} from '../../../core/attempts/index.ts';
import type { Clock } from '../../../core/base/index.ts';
import { StreamMemory, UsualEvents } from '../../../core/migration/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Tracing } from '../../../io/otlp/index.ts';
import type { ClientMemory } from '../client-memory.ts';
import type { Engine } from '../fleet/engine.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { RouterOptions } from '../options.ts';
import { authorizationOf } from '../settings/keys.ts';
import type { TextTokensOf } from '../tokens/text-tokens-of.ts';
import { AttemptIds } from './attempt-ids.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { RouterAdmission } from './router-admission.ts';
import type { RouterHedging } from './router-hedging.ts';
import type { SseKeepAlive } from './sse-keep-alive.ts';

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
  readonly tracing?: Tracing | undefined;
  readonly textTokens?: TextTokensOf | undefined;
  /** For streams that may move. @default no bound but the others */
  readonly memory?: ClientMemory['streams'] | undefined;
}): ProxyContext {
  const { core, metrics, engines, options, clock, watch, admission, hedging, keepAlive } = parts;
  const attemptIds = new AttemptIds();
  const retryPolicy = {
    ...defaultRetryPolicy,
    reroutesMax: options.reroutesMax ?? defaultRetryPolicy.reroutesMax,
  };
  const { disaggregation } = options;
  return {
    core,
    metrics,
    handoffs: disaggregation && {
      core,
      get asksForParams() {
        return core.policy.name === 'disaggregated_prefill_orchestrated';
      },
      remotePrefillTokensMin: disaggregation.remotePrefillTokensMin,
      count: (outcome) => metrics.handoffs.with({ outcome }).inc(),
    },
    watch,
    admission,
    keepAlive,
    hedging,
    tracing: parts.tracing,
    textTokens: parts.textTokens,
    log: options.log,
    retryPolicy,
    keptRetryPolicy: { ...retryPolicy, absentStatuses: new Set() },
    unrepeatableRetryPolicy: unrepeatable(retryPolicy),
    migration: {
      isOn: options.migration ?? true,
      memory: new StreamMemory({ shares: parts.memory }),
      usual: new UsualEvents(),
      counter: metrics.migrations,
    },
    retryBudget: new RetryBudget(clock),
    authorization: authorizationOf(options),
    sight: { isOpen: options.pickHeader ?? true },
    target: (url) => engines.get(url) as Engine,
    engineFailed: (url, why) => engines.get(url)?.failed(why),
    engineSuspected: (url) => engines.get(url)?.suspect(),
    modelMissing: (url) => void engines.get(url)?.learnModels(),
    attemptId: (requestId) => attemptIds.begin(requestId),
    attemptEnded: (attemptId) => attemptIds.end(attemptId),
  };
}
