// GET /metrics, and what is mounted there
import { metricsContentType } from '../../../core/metrics/index.ts';
import type { Engine } from '../engine.ts';
import type { Faults } from '../faults/faults.ts';
import type { Handler } from '../http/server.ts';

/** Of the page that is mounted at /metrics for other methods and longer paths, as in vLLM. */
const mountedContentType = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsRoute(
  engine: Engine,
  faults: Faults,
  contentType: string = metricsContentType,
): Handler {
  let stale: { readonly page: string; readonly renderedMs: number } | undefined;
  return (exchange) => {
    const fault = faults.options.staleMetrics;
    const isOld =
      stale === undefined || !fault || performance.now() - stale.renderedMs > fault.seconds * 1000;
    if (isOld || stale === undefined) {
      stale = { page: engine.metrics.render(), renderedMs: performance.now() };
    }
    exchange.send(200, contentType, stale.page);
  };
}

/** Answers to whatever is asked below /metrics. */
export function mountedMetricsRoute(engine: Engine, faults: Faults): Handler {
  return metricsRoute(engine, faults, mountedContentType);
}
