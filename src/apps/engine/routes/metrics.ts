// GET /metrics, and the application that is mounted there
import { metricsContentType } from '../../../core/metrics/index.ts';
import type { Faults } from '../faults/faults.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/**
 * Content type of the application mounted at /metrics, which serves other methods and longer paths,
 * as in vLLM.
 */
const mountedContentType = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsRoute(
  engine: EmbeddedEngine,
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

/** Responds to every path below /metrics. */
export function mountedMetricsRoute(engine: EmbeddedEngine, faults: Faults): Handler {
  return metricsRoute(engine, faults, mountedContentType);
}
