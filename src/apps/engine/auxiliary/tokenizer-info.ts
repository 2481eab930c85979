// GET /tokenizer_info
import type { Handler } from '../http/server.ts';

/** Enabled by --enable-tokenizer-info-endpoint. */
export function tokenizerInfoRoute(info: Readonly<Record<string, unknown>>): Handler {
  return (exchange) => exchange.sendJson(200, JSON.stringify(info));
}
