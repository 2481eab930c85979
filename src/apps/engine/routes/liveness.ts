// GET /health, GET and POST /ping, GET /version
import { emulatedVersion } from '../engine.ts';
import type { Handler } from '../http/server.ts';

/** Serves /ping too. */
export const healthRoute: Handler = (exchange) => exchange.send(200, '', '');

/** The release that is emulated, as vLLM says it; that it is emulated, the headers say. */
export const versionRoute: Handler = (exchange) =>
  exchange.sendJson(200, JSON.stringify({ version: emulatedVersion }));
