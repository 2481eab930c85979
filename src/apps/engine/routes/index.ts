// The table of routes; one file per endpoint.
import type { Engine } from '../engine.ts';
import type { Faults } from '../faults/faults.ts';
import type { Handler, Routes } from '../http/server.ts';
import type { KvEvents } from '../kv-events.ts';
import { ResponseStore } from '../responses/response-store.ts';
import { adapterRoutes } from './adapters.ts';
import { openapiRoute, redocRoute, swaggerRoute } from './api-pages.ts';
import { chatBatchRoute, chatCompletionsRoute } from './chat-completions.ts';
import { completionsRoute } from './completions.ts';
import { derenderChatRoute, derenderCompletionRoute } from './derender.ts';
import { devRoutes } from './dev.ts';
import { elasticScalingRoutes } from './elastic-scaling.ts';
import { faultsRoutes } from './faults.ts';
import { abortRequestsRoute, generateRoute } from './generate.ts';
import { generativeScoringRoute } from './generative-scoring.ts';
import { invocationsRoute } from './invocations.ts';
import { kvEventSourcesRoute } from './kv-event-sources.ts';
import { healthRoute, versionRoute } from './liveness.ts';
import { loadRoute, tracked } from './load.ts';
import { countTokensRoute, messagesRoute } from './messages.ts';
import { metricsRoute, mountedMetricsRoute } from './metrics.ts';
import { modelsRoute } from './models.ts';
import { oauth2RedirectRoute } from './oauth2-redirect-page.ts';
import { profileRoutes } from './profile.ts';
import { renderChatRoute, renderCompletionRoute, renderMessagesRoute } from './render.ts';
import { renderResponsesRoute, responsesRoute } from './responses.ts';
import { scaleOut } from './scale-out.ts';
import { cancelResponseRoute, storedResponseRoute } from './stored-responses.ts';
import { structuredDecisionsRoute } from './structured-decisions.ts';
import { detokenizeRoute, tokenizeRoute } from './tokenize.ts';
import { tokenizerInfoRoute } from './tokenizer-info.ts';

export function routes(engine: Engine, faults: Faults, kvEvents: KvEvents | undefined): Routes {
  /** Routes that generate: counted in /load, and where the faults strike. */
  const generation = (handler: Handler): Handler =>
    tracked(engine, async (exchange) => {
      if (await faults.before(exchange)) await handler(exchange);
    });
  const scaleOutRoute = (handler: Handler) => ({ POST: scaleOut(engine, handler) });
  const store = engine.options.responsesStore ? new ResponseStore() : undefined;
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
    ...elasticScalingRoutes,
    '/kv_event_sources': { GET: kvEventSourcesRoute(kvEvents) },
    '/v1/models': { GET: modelsRoute(engine) },
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
    '/tokenize': { POST: tokenizeRoute(engine) },
    '/detokenize': { POST: detokenizeRoute(engine) },
    ...(engine.options.tokenizerInfo && {
      '/tokenizer_info': { GET: tokenizerInfoRoute(engine.options.tokenizerInfo) },
    }),
    ...(engine.options.devMode && devRoutes(engine)),
    ...(engine.options.allowRuntimeLoraUpdating && adapterRoutes(engine)),
    ...(engine.options.profiler && profileRoutes()),
    '/spillway/faults': faultsRoutes(faults),
  };
  return all;
}
