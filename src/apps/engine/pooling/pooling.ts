// POST /pooling: what the model returns for a prompt, a vector or the scores of its classes.
import { badRequest, type PoolingRequest, readPoolingRequest } from '../../../core/api/index.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { classProbabilities } from './classify.ts';
import { jsonList, jsonVector, sendVectorBytes, wantsBytes } from './encodings.ts';
import { computePrompts, pooledUsage, requestPrompts } from './pooled-prompts.ts';
import { promptVector } from './vectors.ts';

export function poolingRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readPoolingRequest(await exchange.json());
    checkModel(engine, request.model);
    checkTask(request, pooling);
    engine.checkAdmission(1);
    const prompts = await requestPrompts(engine, request);
    const id = requestId(exchange, 'pooling', request.request_id);
    const onComputed = async () => {
      const vectors = await mapInSlices(prompts, (tokens) =>
        pooling.task === 'embed'
          ? Array.from(promptVector(tokens, pooling, engine.options.seed ?? 0))
          : classProbabilities(engine, pooling, tokens, request.use_activation),
      );
      const model = engine.responseModelName(request.model);
      const fields = { id, created: createdSeconds(), model };
      const usage = pooledUsage(prompts);
      if (wantsBytes(request)) return sendVectorBytes(exchange, vectors, request, fields, usage);
      // Written one by one: together they may be 150 MB.
      const data = await mapInSlices(vectors, (vector, index) =>
        JSON.stringify({
          ...{ index, object: 'pooling', data: jsonVector(vector, request) },
        }),
      );
      const { created } = fields;
      exchange.sendJson(200, jsonList({ id, object: 'list', created, model }, data, { usage }));
    };
    computePrompts({ engine, exchange, id, prompts, settings: request, onComputed });
  };
}

/** @throws {ApiError} 400, as in vLLM, for what the model does not return. */
function checkTask({ task, dimensions }: PoolingRequest, { task: own }: PoolingOptions): void {
  if (dimensions != null) {
    throw badRequest('dimensions is currently not supported', 'dimensions');
  }
  const [is, also] = own === 'embed' ? ['embed', 'token_embed'] : ['classify', 'token_classify'];
  if (task == null || task === is) return;
  throw badRequest(
    task === also
      ? `Try switching the model's pooling_task via --pooler-config.task ${task}.`
      : `Unsupported task: '${task}' Supported tasks: ('${is}', '${also}')`,
    'task',
  );
}
