// GET /health, GET and POST /ping, GET /version
import { version } from '../../../core/base/index.ts';
import { emulatedVersion } from '../engine.ts';
import type { Handler } from '../http/server.ts';

/** Serves /ping too. */
export const healthRoute: Handler = (exchange) => exchange.send(200, '', '');

/** The release that is emulated, and that it is: clients of vLLM read `version` alone. */
export const versionRoute: Handler = (exchange) => {
  exchange.response.setHeader('x-spillway-version', version);
  const emulation = `Spillway ${version} emulates this version; its text is synthetic.`;
  exchange.sendJson(200, JSON.stringify({ version: emulatedVersion, emulation }));
};

/** POST /is_scaling_elastic_ep: an emulated engine never grows. */
export const elasticScalingRoute: Handler = (exchange) =>
  exchange.sendJson(200, '{"is_scaling_elastic_ep":false}');
