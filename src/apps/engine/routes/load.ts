// GET /load, and the counting of requests behind it.
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';

/** Requests in the tracked routes; 0 unless `--enable-server-load-tracking`. */
export function loadRoute(engine: Engine): Handler {
  return (exchange) =>
    exchange.sendJson(
      200,
      JSON.stringify({
        server_load: engine.options.enableServerLoadTracking ? engine.serverLoad : 0,
      }),
    );
}

/** Counts a route's requests from their start until their answer is out or the client gone. */
export function tracked(engine: Engine, handler: Handler): Handler {
  return (exchange) => {
    engine.serverLoad++;
    exchange.response.once('close', () => engine.serverLoad--);
    return handler(exchange);
  };
}
