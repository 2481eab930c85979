// POST /pause, /resume and /abort_requests, GET /is_paused
import { ApiError, boolean, literal } from '../../../../core/api/index.ts';
import { readQuery } from '../../http/query.ts';
import type { Handler, Routes } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { pauseModes } from '../../runtime/sleep-control.ts';

export function pauseRoutes(engine: EmbeddedEngine): Routes {
  return {
    '/pause': { POST: pauseRoute(engine) },
    '/resume': {
      POST: (exchange) => {
        engine.sleepControl.resume();
        exchange.sendJson(200, '{"status":"resumed"}');
      },
    },
    '/is_paused': {
      GET: (exchange) =>
        exchange.sendJson(200, JSON.stringify({ is_paused: engine.sleepControl.isPaused })),
    },
    '/abort_requests': { POST: abortRoute(engine) },
  };
}

function pauseRoute({ sleepControl }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const query = readQuery(exchange, { mode: literal(...pauseModes), clear_cache: boolean });
    await sleepControl.pause(query.mode ?? 'abort', query.clear_cache ?? true);
    exchange.sendJson(200, '{"status":"paused"}');
  };
}

/** Ends the given requests, or all; the count includes unknown ids, as in vLLM. */
function abortRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const ids = requestIds(await exchange.jsonOr(() => 'Invalid JSON format'));
    if (typeof ids === 'number' || ids === true) {
      const type = ids === true ? 'bool' : Number.isInteger(ids) ? 'int' : 'float';
      const error = `Failed to abort requests: '${type}' object is not iterable`;
      exchange.sendJson(500, JSON.stringify({ error }));
      return;
    }
    let aborted: number;
    if (isEmpty(ids)) aborted = engine.abortEveryRequest();
    else if (typeof ids === 'string') {
      // One id; Python counts its characters.
      engine.abortRequests([ids]);
      aborted = [...ids].length;
    } else {
      const list = Array.isArray(ids) ? ids : Object.keys(ids as object);
      engine.abortRequests(list.map(String));
      aborted = list.length;
    }
    exchange.sendJson(200, JSON.stringify({ status: 'aborted', aborted }));
  };
}

/** @throws {ApiError} 400 if the body is not an object. */
function requestIds(body: unknown): unknown {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    return (body as { readonly request_ids?: unknown }).request_ids;
  }
  throw new ApiError(400, 'Bad Request', 'Request body must be a JSON object');
}

/** Values that are false in Python: no ids, which means all. */
function isEmpty(ids: unknown): boolean {
  if (ids === undefined || ids === null || ids === false || ids === '' || ids === 0) return true;
  return typeof ids === 'object' && Object.keys(ids).length === 0;
}
