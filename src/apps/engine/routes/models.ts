// GET /v1/models
import { randomBytes } from 'node:crypto';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

export function modelsRoute(engine: EmbeddedEngine): Handler {
  return (exchange) => {
    const created = Math.floor(Date.now() / 1000);
    const { model: root, config } = engine.options;
    const models = engine.servedModelNames.map((id) => ({
      id,
      root,
      parent: null,
      maxModelLen: config.maxModelLen,
    }));
    const adapters = [...engine.adapters.all].map(({ name: id, path, parent }) => ({
      id,
      root: path,
      parent,
      maxModelLen: null,
    }));
    const data = [...models, ...adapters].map(({ maxModelLen, ...card }) => ({
      id: card.id,
      object: 'model',
      created,
      owned_by: 'vllm',
      root: card.root,
      parent: card.parent,
      max_model_len: maxModelLen,
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
