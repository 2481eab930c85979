// The routes of models that return vectors or scores instead of text.
import type { Handler, Routes } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { classifyRoute } from './classify.ts';
import { embeddingsRoute } from './embeddings.ts';
import { poolingRoute } from './pooling.ts';
import { rerankRoute, scoreRoute } from './scores.ts';

/** As in vLLM, a model has the routes of its task only. @param generation Wraps each handler. */
export function poolingRoutes(
  engine: EmbeddedEngine,
  pooling: PoolingOptions,
  generation: (handler: Handler) => Handler,
): Routes {
  const score = { POST: generation(scoreRoute(engine, pooling)) };
  const rerank = { POST: generation(rerankRoute(engine, pooling)) };
  const isEmbedder = pooling.task === 'embed';
  // vLLM scores pairs only with models that return one number.
  const isScorer = isEmbedder || (pooling.labels?.length ?? 1) === 1;
  return {
    '/pooling': { POST: generation(poolingRoute(engine, pooling)) },
    ...(isEmbedder
      ? { '/v1/embeddings': { POST: generation(embeddingsRoute(engine, pooling)) } }
      : { '/classify': { POST: generation(classifyRoute(engine, pooling)) } }),
    ...(isScorer && {
      ...{ '/score': score, '/v1/score': score },
      ...{ '/rerank': rerank, '/v1/rerank': rerank, '/v2/rerank': rerank },
    }),
  };
}
