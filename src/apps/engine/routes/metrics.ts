// GET /metrics, and the application that is mounted there
import { metricsContentType, restrictedPage } from '../../../core/metrics/index.ts';
import type { Faults } from '../faults/faults.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Of the application mounted at /metrics, which serves other methods and longer paths, as in vLLM. */
const mountedContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The whole page, whatever the query says: vLLM's route does not read it. */
export function metricsRoute(engine: EmbeddedEngine, faults: Faults): Handler {
  const page = pageOf(engine, faults);
  return (exchange) => exchange.send(200, metricsContentType, page());
}

/** Responds to every path below /metrics, with the metrics that `name[]` in the query names, or with all. */
export function mountedMetricsRoute(engine: EmbeddedEngine, faults: Faults): Handler {
  const page = pageOf(engine, faults);
  return (exchange) => {
    const names = exchange.url.searchParams.getAll('name[]').filter((name) => name !== '');
    const text = names.length === 0 ? page() : restrictedPage(page(), new Set(names));
    exchange.send(200, mountedContentType, text);
  };
}

function pageOf(engine: EmbeddedEngine, faults: Faults): () => string {
  let last: { readonly page: string; readonly renderedMs: number } | undefined;
  return () => {
    const fault = faults.options.staleMetrics;
    const isStale =
      last !== undefined && fault && performance.now() - last.renderedMs <= fault.seconds * 1000;
    if (last === undefined || !isStale) {
      last = { page: engine.metrics.render(), renderedMs: performance.now() };
    }
    return last.page;
  };
}
