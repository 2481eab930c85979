// GET /load, and the count of requests that it reports.

import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Requests in the tracked routes; 0 unless `--enable-server-load-tracking`. */
export function loadRoute(engine: EmbeddedEngine): Handler {
  return (exchange) =>
    exchange.sendJson(
      200,
      JSON.stringify({
        server_load: engine.options.enableServerLoadTracking ? engine.serverLoad : 0,
      }),
    );
}

/** Counts a route's requests from their start until the response was sent or the client left. */
export function tracked(engine: EmbeddedEngine, handler: Handler): Handler {
  return (exchange) => {
    engine.serverLoad++;
    exchange.response.once('close', () => engine.serverLoad--);
    return handler(exchange);
  };
}
