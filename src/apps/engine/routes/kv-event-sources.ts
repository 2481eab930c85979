// GET /kv_event_sources

import type { Handler } from '../http/server.ts';
import type { KvEvents } from '../kv-events.ts';

/** Where KV events can be had, by data-parallel rank; `{}` without. */
export function kvEventSourcesRoute(kvEvents: KvEvents | undefined): Handler {
  return (exchange) =>
    exchange.sendJson(200, JSON.stringify(kvEvents ? { 0: kvEvents.config } : {}));
}
