// POST /v1/embeddings
import { badRequest, readEmbeddingRequest } from '../../../core/api/index.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { jsonList, jsonVector, sendVectorBytes, wantsBytes } from './encodings.ts';
import { computePrompts, pooledUsage, requestPrompts } from './pooled-prompts.ts';
import { promptVector, shortened } from './vectors.ts';

export function embeddingsRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readEmbeddingRequest(await exchange.json());
    checkModel(engine, request.model);
    engine.checkAdmission(1);
    checkDimensions(engine, pooling, request.dimensions);
    const prompts = await requestPrompts(engine, request);
    const id = requestId(exchange, 'embd', request.request_id);
    const size = request.dimensions ?? pooling.dimensions;
    const onComputed = async () => {
      const vectors = await mapInSlices(prompts, (tokens) =>
        Array.from(shortened(promptVector(tokens, pooling, engine.options.seed ?? 0), size)),
      );
      const model = engine.responseModelName(request.model);
      const fields = { id, created: createdSeconds(), model };
      const usage = pooledUsage(prompts);
      if (wantsBytes(request)) return sendVectorBytes(exchange, vectors, request, fields, usage);
      // Written one by one: together they may be 150 MB.
      const data = await mapInSlices(vectors, (vector, index) =>
        JSON.stringify({
          ...{ index, object: 'embedding', embedding: jsonVector(vector, request) },
        }),
      );
      const { created } = fields;
      exchange.sendJson(200, jsonList({ id, object: 'list', created, model }, data, { usage }));
    };
    computePrompts({ engine, exchange, id, prompts, settings: request, onComputed });
  };
}

/** @throws {ApiError} 400 if the model's vectors cannot be shortened to this. */
function checkDimensions(
  engine: EmbeddedEngine,
  { matryoshka }: PoolingOptions,
  dimensions: number | null | undefined,
): void {
  if (dimensions == null) return;
  const name = engine.modelName;
  if (matryoshka === undefined) {
    throw badRequest(
      `Model "${name}" does not support matryoshka representation, changing output dimensions will lead to poor results.`,
    );
  }
  if (matryoshka !== 'any' && !matryoshka.includes(dimensions)) {
    throw badRequest(
      `Model "${name}" only supports [${matryoshka.join(', ')}] matryoshka dimensions, use other output dimensions will lead to poor results.`,
    );
  }
  if (dimensions < 1) throw badRequest('Dimensions must be greater than 0');
}
