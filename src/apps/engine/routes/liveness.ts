// GET /health, GET and POST /ping, GET /version

import type { Handler } from '../http/server.ts';
import { emulatedVersion } from '../runtime/embedded-engine.ts';

/** Also serves /ping. */
export const healthRoute: Handler = (exchange) => exchange.send(200, '', '');

/** The emulated release in vLLM's form; headers show that it is an emulation. */
export const versionRoute: Handler = (exchange) =>
  exchange.sendJson(200, JSON.stringify({ version: emulatedVersion }));
