// The routes through which a trainer loads new weights into an engine; an emulation has no weights.
import {
  ApiError,
  anything,
  boolean,
  dictionary,
  literal,
  readBody,
  schemaError,
  string,
} from '../../../../core/api/index.ts';
import type { Exchange } from '../../http/exchange.ts';
import { readQuery } from '../../http/query.ts';
import type { Handler, Routes } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';

export function weightRoutes(engine: EmbeddedEngine): Routes {
  let version = 'default';
  return {
    '/weight_info': {
      GET: (exchange) => exchange.sendJson(200, JSON.stringify({ weight_version: version })),
    },
    '/update_weight_version': {
      POST: async (exchange) => {
        const body = await embedded(exchange, 'new_version');
        const given = readBody(body, { new_version: string }, ['new_version']);
        version = String(given.new_version);
        exchange.sendJson(200, JSON.stringify({ success: true, new_version: version }));
      },
    },
    '/get_world_size': {
      GET: (exchange) => {
        readQuery(exchange, { include_dp: boolean });
        const world = engine.options.tensorParallelSize ?? 1;
        exchange.sendJson(200, JSON.stringify({ world_size: world }));
      },
    },
    '/weight_checker': { POST: checkRoute },
    '/init_weight_transfer_engine': { POST: unconfigured('init_info') },
    '/start_weight_update': { POST: unconfigured() },
    '/start_draft_weight_update': { POST: unconfigured() },
    '/update_weights': { POST: unconfigured('update_info') },
    '/finish_weight_update': { POST: unconfigured() },
    '/shutdown_weight_transfer_engine': {
      POST: (exchange) => exchange.sendJson(200, '{"message":"Weight transfer shut down"}'),
    },
  };
}

/** There are no weights and no checksums: only an empty baseline matches. */
const checkRoute: Handler = async (exchange) => {
  const body = await embedded(exchange, 'action');
  const shape = {
    action: literal('checksum', 'reset', 'compare'),
    baseline: dictionary(string),
  };
  const { action, baseline } = readBody(body, shape, ['action']);
  if (action === 'reset') exchange.sendJson(200, '{"status":"reset"}');
  else if (action === 'checksum') exchange.sendJson(200, '{"checksums":{}}');
  else if (baseline == null) {
    throw new ApiError(400, 'Bad Request', "action='compare' requires a 'baseline' object");
  } else {
    const mismatches = Object.keys(baseline).toSorted();
    const match = mismatches.length === 0;
    exchange.sendJson(200, JSON.stringify({ match, mismatches }));
  }
};

/** vLLM's response without `--weight-transfer-config`. @param field A required field of the body. */
function unconfigured(field?: string): Handler {
  return async (exchange) => {
    if (field) readBody(await embedded(exchange, field), { [field]: anything }, [field]);
    throw new ApiError(
      500,
      'InternalServerError',
      "Call to collective_rpc method failed: Worker failed with error 'Weight transfer not configured. Please set weight_transfer_config to enable weight transfer.', please check the stack trace above for the root cause",
    );
  };
}

/**
 * Reads a body whose fields are parameters of the route: without the first field it counts as no
 * body.
 */
async function embedded(exchange: Exchange, field: string): Promise<unknown> {
  const missing = { type: 'missing', loc: `body.${field}`, msg: 'Field required', input: null };
  if (!exchange.hasBody) throw schemaError([missing]);
  const body = await exchange.json();
  if (typeof body !== 'object' || body === null || !(field in body)) throw schemaError([missing]);
  return body;
}
