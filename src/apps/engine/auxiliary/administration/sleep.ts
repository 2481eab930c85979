// POST /sleep, /wake_up and /release_kv_cache_memory, GET /is_sleeping
import { ApiError, integer, literal } from '../../../../core/api/index.ts';
import { readQuery } from '../../http/query.ts';
import type { Handler, Routes } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { pauseModes, type SleepLevel } from '../../runtime/sleep-control.ts';

export function sleepRoutes(engine: EmbeddedEngine): Routes {
  return {
    '/sleep': { POST: sleepRoute(engine) },
    '/release_kv_cache_memory': { POST: releaseRoute(engine) },
    '/wake_up': { POST: wakeUpRoute(engine) },
    '/is_sleeping': {
      GET: (exchange) =>
        exchange.sendJson(200, JSON.stringify({ is_sleeping: engine.sleepControl.isSleeping })),
    },
  };
}

function sleepRoute({ metrics, sleepControl }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const query = readQuery(exchange, { level: integer(0, 2), mode: literal(...pauseModes) });
    const level = (query.level ?? 1) as SleepLevel;
    await metrics.timed('sleep', () => sleepControl.sleep(level, query.mode ?? 'abort'));
    metrics.onSleepState(([undefined, 'weights_offloaded', 'discard_all'] as const)[level]);
    exchange.sendJson(200, JSON.stringify({ status: 'sleeping', level }));
  };
}

function wakeUpRoute({ metrics, sleepControl }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const given = exchange.url.searchParams.getAll('tags');
    const tags = given.length > 0 ? given : undefined;
    const isAwake = await metrics.timed('wake', () => sleepControl.wakeUp(tags));
    if (isAwake) metrics.onSleepState('awake');
    const status = isAwake ? 'awake' : 'sleeping';
    exchange.sendJson(200, JSON.stringify({ status, tags: tags ?? null }));
  };
}

function releaseRoute({ metrics, sleepControl }: EmbeddedEngine): Handler {
  return async (exchange) => {
    await metrics.timed('release_kv_cache_memory', () => {
      const fault = sleepControl.releaseKvCache();
      if (fault === undefined) return;
      const message = `Call to release_kv_cache_memory method failed: ${fault}`;
      throw new ApiError(500, 'InternalServerError', message);
    });
    metrics.onSleepState(undefined);
    exchange.sendJson(200, '{"status":"kv_cache_released"}');
  };
}
