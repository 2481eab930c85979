// The switch in front of the routes that take or give tokens.
import { ApiError } from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';

/** 403 unless the server was started with --enable-scale-out. */
export function scaleOut(engine: Engine, handler: Handler): Handler {
  if (engine.options.enableScaleOut === true) return handler;
  return () => {
    throw new ApiError(
      403,
      'PermissionDeniedError',
      'Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.',
    );
  };
}
