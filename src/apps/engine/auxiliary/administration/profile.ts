// POST /start_profile and /stop_profile: tracks the session, but writes no profile.
import { ApiError, badRequest, type Issue, schemaError } from '../../../../core/api/index.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Routes } from '../../http/server.ts';

/** Available only with a profiler in `--profiler-config`. */
export function profileRoutes(): Routes {
  let isActive = false;
  return {
    '/start_profile': {
      POST: async (exchange) => {
        const request = await sessionRequest(exchange);
        if (isActive) throw alreadyActive();
        checkSession(request);
        isActive = true;
        exchange.send(200, '', '');
      },
    },
    '/stop_profile': {
      POST: (exchange) => {
        isActive = false;
        exchange.send(200, '', '');
      },
    },
  };
}

interface SessionRequest {
  readonly profile_prefix?: string | null;
  readonly delay_iterations?: number | null;
  readonly max_iterations?: number | null;
}

/** The body is optional; it is read strictly, without coercion. */
async function sessionRequest(exchange: Exchange): Promise<SessionRequest> {
  if (!exchange.hasBody) return {};
  const body = await exchange.anyJson();
  if (body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    throw schemaError([{ type: 'model_attributes_type', loc: 'body', msg, input: body }]);
  }
  const given = body as Readonly<Record<string, unknown>>;
  const issues: Issue[] = [];
  const check = (name: string, fits: (value: unknown) => boolean, type: string, what: string) => {
    const input = given[name];
    if (input === undefined || input === null || fits(input)) return;
    issues.push({ type, loc: `body.${name}`, msg: `Input should be a valid ${what}`, input });
  };
  check('profile_prefix', (value) => typeof value === 'string', 'string_type', 'string');
  for (const name of ['delay_iterations', 'max_iterations']) {
    check(name, Number.isInteger, 'int_type', 'integer');
  }
  if (issues.length > 0) throw schemaError(issues);
  return given;
}

/** @throws {ApiError} 400 if a value is out of range. */
function checkSession({ profile_prefix: prefix, ...bounds }: SessionRequest): void {
  if (prefix != null && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(prefix)) {
    throw badRequest(
      "profile_prefix must be 1-128 ASCII characters, start with a letter or number, and contain only letters, numbers, '.', '_', or '-'",
    );
  }
  for (const name of ['delay_iterations', 'max_iterations'] as const) {
    if ((bounds[name] ?? 0) >= 0) continue;
    throw badRequest(`${name} must be greater than or equal to 0`);
  }
}

function alreadyActive(): ApiError {
  return new ApiError(
    409,
    'Conflict',
    'A profiling session is already active. Call /stop_profile before starting another session.',
  );
}
