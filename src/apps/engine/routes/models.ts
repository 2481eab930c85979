// GET /v1/models
import { randomBytes } from 'node:crypto';
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';

export function modelsRoute(engine: Engine): Handler {
  return (exchange) => {
    const created = Math.floor(Date.now() / 1000);
    const data = engine.servedModelNames.map((id) => ({
      id,
      object: 'model',
      created,
      owned_by: 'vllm',
      root: engine.options.model,
      parent: null,
      max_model_len: engine.options.config.maxModelLen,
      permission: [
        {
          id: `modelperm-${randomBytes(8).toString('hex')}`,
          object: 'model_permission',
          created,
          allow_create_engine: false,
          allow_sampling: true,
          allow_logprobs: true,
          allow_search_indices: false,
          allow_view: true,
          allow_fine_tuning: false,
          organization: '*',
          group: null,
          is_blocking: false,
        },
      ],
    }));
    exchange.sendJson(200, JSON.stringify({ object: 'list', data }));
  };
}
