// POST /reset_prefix_cache, /reset_mm_cache and /reset_encoder_cache
import { boolean } from '../../../../core/api/index.ts';
import { readQuery } from '../../http/query.ts';
import type { Handler, Routes } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';

export function cacheRoutes(engine: EmbeddedEngine): Routes {
  return {
    '/reset_prefix_cache': { POST: resetPrefixCacheRoute(engine) },
    // The cache for images, which text models do not support.
    '/reset_mm_cache': { POST: (exchange) => exchange.send(200, '', '') },
    '/reset_encoder_cache': { POST: (exchange) => exchange.send(200, '', '') },
  };
}

/** Fails while a request holds blocks, unless running requests may be restarted. */
function resetPrefixCacheRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const query = readQuery(exchange, { reset_running_requests: boolean, reset_external: boolean });
    const success = await engine.resetPrefixCache({
      resetRunningRequests: query.reset_running_requests ?? false,
      resetConnector: query.reset_external ?? false,
    });
    exchange.sendJson(200, JSON.stringify({ success }));
  };
}
