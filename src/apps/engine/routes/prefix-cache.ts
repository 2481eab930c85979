// POST /reset_prefix_cache
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';

/** Fails while a request holds blocks, as in vLLM. */
export function resetPrefixCacheRoute(engine: Engine): Handler {
  return (exchange) =>
    exchange.sendJson(200, JSON.stringify({ success: engine.resetPrefixCache() }));
}
