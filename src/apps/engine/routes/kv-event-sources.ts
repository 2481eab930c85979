// GET /kv_event_sources

import type { Handler } from '../http/server.ts';
import type { KvEvents } from '../runtime/kv-events.ts';

/** The endpoints of KV events by data-parallel rank; `{}` without KV events. */
export function kvEventSourcesRoute(kvEvents: KvEvents | undefined): Handler {
  return (exchange) =>
    exchange.sendJson(200, JSON.stringify(kvEvents ? { 0: kvEvents.config } : {}));
}
