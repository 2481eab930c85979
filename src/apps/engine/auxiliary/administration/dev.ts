// The routes of VLLM_SERVER_DEV_MODE=1.

import type { Routes } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { cacheRoutes } from './caches.ts';
import { collectiveRpcRoute } from './collective-rpc.ts';
import { pauseRoutes } from './pause.ts';
import { serverInfoRoute } from './server-info.ts';
import { sleepRoutes } from './sleep.ts';
import { weightRoutes } from './weights.ts';

export function devRoutes(engine: EmbeddedEngine): Routes {
  return {
    ...cacheRoutes(engine),
    '/collective_rpc': { POST: collectiveRpcRoute(engine) },
    '/server_info': { GET: serverInfoRoute(engine) },
    ...sleepRoutes(engine),
    ...pauseRoutes(engine),
    ...weightRoutes(engine),
  };
}
