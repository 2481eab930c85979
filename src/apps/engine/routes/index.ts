// The table of all routes, in vLLM's order. The routes of the server itself are in this folder; each API
// has its own folder, and routes that no router or client of ours calls are in `auxiliary`.

import {
  derenderChatRoute,
  derenderCompletionRoute,
  devRoutes,
  elasticScalingRoutes,
  generativeScoringRoute,
  invocationsRoute,
  oauth2RedirectRoute,
  openapiRoute,
  profileRoutes,
  redocRoute,
  renderChatRoute,
  renderCompletionRoute,
  renderMessagesRoute,
  renderResponsesRoute,
  structuredDecisionsRoute,
  swaggerRoute,
  tokenizerInfoRoute,
} from '../auxiliary/index.ts';
import { chatBatchRoute, chatCompletionsRoute } from '../chat/chat-completions.ts';
import { completionsRoute } from '../completions/completions.ts';
import type { Faults } from '../faults/faults.ts';
import { abortRequestsRoute, generateRoute } from '../generate/generate.ts';
import type { Handler, Routes } from '../http/server.ts';
import { countTokensRoute, messagesRoute } from '../messages/messages.ts';
import { poolingRoutes } from '../pooling/index.ts';
import { ResponseStore } from '../responses/response-store.ts';
import { responsesRoute } from '../responses/responses.ts';
import { cancelResponseRoute, storedResponseRoute } from '../responses/stored-responses.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { KvEvents } from '../runtime/kv-events.ts';
import { adapterRoutes } from './adapters.ts';
import { faultsRoutes } from './faults.ts';
import { guarded } from './guarded.ts';
import { kvEventSourcesRoute } from './kv-event-sources.ts';
import { healthRoute, versionRoute } from './liveness.ts';
import { loadRoute, tracked } from './load.ts';
import { metricsRoute, mountedMetricsRoute } from './metrics.ts';
import { modelsRoute } from './models.ts';
import { scaleOut } from './scale-out.ts';
import { detokenizeRoute, tokenizeRoute } from './tokenize.ts';
import { tokenizerFilesRoutes } from './tokenizer-files.ts';

export function routes(
  engine: EmbeddedEngine,
  faults: Faults,
  kvEvents: KvEvents | undefined,
): Routes {
  /** Generation routes: counted in /load, and subject to faults. */
  const generation = (handler: Handler): Handler =>
    tracked(engine, async (exchange) => {
      if (await faults.before(exchange)) await handler(exchange);
    });
  const all: Routes = {
    '/openapi.json': { 'GET,HEAD': openapiRoute(() => all) },
    '/docs': { 'GET,HEAD': swaggerRoute },
    '/docs/oauth2-redirect': { 'GET,HEAD': oauth2RedirectRoute },
    '/redoc': { 'GET,HEAD': redocRoute },
    '/health': { GET: healthRoute },
    '/ping': { GET: healthRoute, POST: healthRoute },
    '/version': { GET: versionRoute },
    '/load': { GET: loadRoute(engine) },
    '/metrics': { GET: metricsRoute(engine, faults) },
    '/metrics{rest:path}': { '*': mountedMetricsRoute(engine, faults) },
    ...guarded(elasticScalingRoutes),
    '/kv_event_sources': { GET: kvEventSourcesRoute(kvEvents) },
    '/v1/models': { GET: modelsRoute(engine) },
    ...(engine.options.pooling
      ? poolingRoutes(engine, engine.options.pooling, generation)
      : textRoutes(engine, generation)),
    '/tokenize': { POST: tokenizeRoute(engine) },
    '/detokenize': { POST: detokenizeRoute(engine) },
    ...(engine.options.tokenizerInfo && {
      '/tokenizer_info': { GET: tokenizerInfoRoute(engine.options.tokenizerInfo) },
    }),
    ...(engine.options.devMode && guarded(devRoutes(engine))),
    ...(engine.options.allowRuntimeLoraUpdating && guarded(adapterRoutes(engine))),
    ...(engine.options.profiler && guarded(profileRoutes())),
    ...guarded({ '/spillway/faults': faultsRoutes(faults) }),
    ...(engine.options.tokenizerFolder !== undefined &&
      tokenizerFilesRoutes(engine.options.tokenizerFolder)),
  };
  return all;
}

/** The routes of a model that generates text. @param generation Wraps each handler that generates. */
function textRoutes(engine: EmbeddedEngine, generation: (handler: Handler) => Handler): Routes {
  const scaleOutRoute = (handler: Handler) => ({ POST: scaleOut(engine, handler) });
  const store = engine.options.responsesStore ? new ResponseStore() : undefined;
  return {
    '/v1/chat/completions': { POST: generation(chatCompletionsRoute(engine)) },
    '/v1/chat/completions/batch': { POST: generation(chatBatchRoute(engine)) },
    '/invocations': { POST: generation(invocationsRoute(engine)) },
    '/v1/completions': { POST: generation(completionsRoute(engine)) },
    '/v1/chat/completions/render': scaleOutRoute(renderChatRoute(engine)),
    '/v1/completions/render': scaleOutRoute(renderCompletionRoute(engine)),
    '/v1/messages/render': scaleOutRoute(renderMessagesRoute(engine)),
    '/v1/chat/completions/derender': scaleOutRoute(derenderChatRoute(engine)),
    '/v1/completions/derender': scaleOutRoute(derenderCompletionRoute(engine)),
    '/inference/v1/generate': scaleOutRoute(generation(generateRoute(engine))),
    '/inference/v1/abort_requests': scaleOutRoute(abortRequestsRoute(engine)),
    '/v1/responses': { POST: generation(responsesRoute(engine, store)) },
    '/v1/responses/{response_id}': { GET: tracked(engine, storedResponseRoute(store)) },
    '/v1/responses/{response_id}/cancel': { POST: tracked(engine, cancelResponseRoute(store)) },
    '/v1/responses/render': scaleOutRoute(renderResponsesRoute(engine)),
    '/v1/messages': { POST: generation(messagesRoute(engine)) },
    '/v1/messages/count_tokens': { POST: countTokensRoute(engine) },
    '/v1/systemone': { POST: generation(structuredDecisionsRoute(engine)) },
    '/generative_scoring': { POST: generation(generativeScoringRoute(engine)) },
  };
}
