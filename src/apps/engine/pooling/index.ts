// The routes of models that return vectors or scores instead of text.
import type { Handler, Routes } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { embeddingsRoute } from './embeddings.ts';
import { rerankRoute, scoreRoute } from './scores.ts';

/** As in vLLM, a model has the routes of its task only. @param generation Wraps each handler. */
export function poolingRoutes(
  engine: EmbeddedEngine,
  pooling: PoolingOptions,
  generation: (handler: Handler) => Handler,
): Routes {
  const score = { POST: generation(scoreRoute(engine, pooling)) };
  const rerank = { POST: generation(rerankRoute(engine, pooling)) };
  return {
    ...(pooling.task === 'embed' && {
      '/v1/embeddings': { POST: generation(embeddingsRoute(engine, pooling)) },
    }),
    ...{ '/score': score, '/v1/score': score },
    ...{ '/rerank': rerank, '/v1/rerank': rerank, '/v2/rerank': rerank },
  };
}
