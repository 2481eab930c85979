// What all proxied requests of one router share.
import {
  type AttemptWatch,
  defaultRetryPolicy,
  RetryBudget,
} from '../../../core/attempts/index.ts';
import type { Clock } from '../../../core/base/index.ts';
import { TranscriptBudget } from '../../../core/migration/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { RouterOptions } from '../options.ts';
import { authorizationOf } from '../settings/keys.ts';
import { AttemptIds } from './attempt-ids.ts';
import type { ProxyContext } from './proxied-request.ts';
import type { RouterAdmission } from './router-admission.ts';

export function proxyContext(parts: {
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  /** By URL; every engine that can be picked is among them. */
  readonly engines: ReadonlyMap<string, Engine>;
  readonly options: RouterOptions;
  readonly clock: Clock;
  readonly watch: AttemptWatch;
  readonly admission: RouterAdmission | undefined;
}): ProxyContext {
  const { core, metrics, engines, options, clock, watch, admission } = parts;
  const attemptIds = new AttemptIds();
  return {
    core,
    metrics,
    watch,
    admission,
    log: options.log,
    retryPolicy: {
      ...defaultRetryPolicy,
      reroutesMax: options.reroutesMax ?? defaultRetryPolicy.reroutesMax,
    },
    migration: {
      isOn: options.migration ?? true,
      budget: new TranscriptBudget(),
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
