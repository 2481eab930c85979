// POST /collective_rpc: calls a method of every worker; an emulation has one, with few methods.
import { ApiError, badRequest, pythonRepr } from '../../../../core/api/index.ts';
import type { Handler } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';

/** The methods of vLLM's worker that are meaningful here. */
function workerMethods(engine: EmbeddedEngine): Readonly<Record<string, () => unknown>> {
  return {
    check_health: () => null,
    synchronize_device: () => null,
    reset_mm_cache: () => null,
    reset_encoder_cache: () => null,
    get_supported_tasks: () => ['generate'],
    list_loras: () => [...engine.adapters.all].map(({ id }) => id),
  };
}

export function collectiveRpcRoute(engine: EmbeddedEngine): Handler {
  const methods = workerMethods(engine);
  return async (exchange) => {
    const body = await exchange.jsonOr((fault) => `JSON decode error: ${fault}`);
    const { method, args } = call(body);
    if (typeof method !== 'string') throw failed('the first argument must be callable');
    if (!Object.hasOwn(methods, method)) {
      throw failed(`'Worker' object has no attribute ${pythonRepr(method)}`);
    }
    if (args.length > 0) {
      throw failed(
        `Worker.${method}() takes 1 positional argument but ${args.length + 1} were given`,
      );
    }
    exchange.sendJson(200, JSON.stringify({ results: [methods[method]?.()] }));
  };
}

/** @throws {ApiError} 400 if the body names no method, or its arguments are not a list. */
function call(body: unknown): { readonly method: unknown; readonly args: readonly unknown[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiError(400, 'Bad Request', 'Request body must be a JSON object');
  }
  const { method, args = [] } = body as { readonly method?: unknown; readonly args?: unknown };
  if (method === undefined || method === null) {
    throw new ApiError(400, 'Bad Request', "Missing 'method' in request body");
  }
  if (Array.isArray(args)) return { method, args };
  if (typeof args === 'string') return { method, args: [...args] };
  if (typeof args === 'object' && args !== null) return { method, args: Object.keys(args) };
  const type = args === null ? 'NoneType' : typeof args === 'boolean' ? 'bool' : 'int';
  throw badRequest(`'${type}' object is not iterable`);
}

function failed(message: string): ApiError {
  return new ApiError(
    500,
    'InternalServerError',
    `Call to collective_rpc method failed: Worker failed with error '${message}', please check the stack trace above for the root cause`,
  );
}
