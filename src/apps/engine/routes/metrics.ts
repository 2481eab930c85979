// GET /metrics
import { metricsContentType } from '../../../core/metrics/index.ts';
import type { Engine } from '../engine.ts';
import type { Faults } from '../faults/faults.ts';
import type { Handler } from '../http/server.ts';

export function metricsRoute(engine: Engine, faults: Faults): Handler {
  let stale: { readonly page: string; readonly renderedMs: number } | undefined;
  return (exchange) => {
    const fault = faults.options.staleMetrics;
    const isOld =
      stale === undefined || !fault || performance.now() - stale.renderedMs > fault.seconds * 1000;
    if (isOld || stale === undefined) {
      stale = { page: engine.metrics.render(), renderedMs: performance.now() };
    }
    exchange.send(200, metricsContentType, stale.page);
  };
}
