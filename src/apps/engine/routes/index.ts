// The table of routes; one file per endpoint.
import type { Engine } from '../engine.ts';
import type { Routes } from '../http/server.ts';
import { chatCompletionsRoute } from './chat-completions.ts';
import { healthRoute, versionRoute } from './liveness.ts';
import { modelsRoute } from './models.ts';

export function routes(engine: Engine): Routes {
  return {
    '/health': { GET: healthRoute },
    '/ping': { GET: healthRoute, POST: healthRoute },
    '/version': { GET: versionRoute },
    '/v1/models': { GET: modelsRoute(engine) },
    '/v1/chat/completions': { POST: chatCompletionsRoute(engine) },
  };
}
