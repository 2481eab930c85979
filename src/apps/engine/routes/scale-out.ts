// Guards the routes that accept or return tokens.
import { ApiError } from '../../../core/api/index.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Responds with 403 unless the server was started with --enable-scale-out. */
export function scaleOut(engine: EmbeddedEngine, handler: Handler): Handler {
  if (engine.options.enableScaleOut === true) return handler;
  return () => {
    throw new ApiError(
      403,
      'PermissionDeniedError',
      'Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.',
    );
  };
}
