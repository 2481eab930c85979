// POST /scale_elastic_ep and /is_scaling_elastic_ep
import { ApiError } from '../../../../core/api/index.ts';
import type { Handler, Routes } from '../../http/server.ts';

/** An emulated engine always has one data-parallel rank. */
export const elasticScalingRoutes: Routes = {
  '/scale_elastic_ep': { POST: scaleRoute() },
  '/is_scaling_elastic_ep': {
    POST: (exchange) => exchange.sendJson(200, '{"is_scaling_elastic_ep":false}'),
  },
};

function scaleRoute(): Handler {
  return async (exchange) => {
    exchange.checkJsonType();
    const size = sizeOf(await exchange.jsonOr(() => 'Invalid JSON format'));
    if (Number(size) !== 1) throw new ApiError(500, 'Internal Server Error', 'Scale failed');
    const spelled = size === true ? 'True' : '1';
    exchange.sendJson(
      200,
      JSON.stringify({ message: `Scaled to ${spelled} data parallel engines` }),
    );
  };
}

/** @throws {ApiError} 400 if the body does not contain an integer number of ranks. */
function sizeOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const type = Array.isArray(body) ? 'list' : pythonType(body);
    throw new ApiError(500, 'InternalServerError', `'${type}' object has no attribute 'get'`);
  }
  const given = body as Readonly<Record<string, unknown>>;
  const size = given['new_data_parallel_size'];
  if (size === undefined || size === null) throw refused('new_data_parallel_size is required');
  if (!isPositive(size)) throw refused('new_data_parallel_size must be a positive integer');
  if ('drain_timeout' in given && !isPositive(given['drain_timeout'])) {
    throw refused('drain_timeout must be a positive integer');
  }
  return size;
}

/** Python's True is an integer too. */
function isPositive(value: unknown): boolean {
  return value === true || (Number.isInteger(value) && (value as number) > 0);
}

function pythonType(value: unknown): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'str';
  return Number.isInteger(value) ? 'int' : 'float';
}

function refused(detail: string): ApiError {
  return new ApiError(400, 'Bad Request', detail);
}
