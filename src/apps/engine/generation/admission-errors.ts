// Why a request is not taken, in vLLM's words.
import { ApiError } from '../../../core/api/index.ts';

/** Over `--max-num-queued-reqs`. */
export function tooManyRequests(): ApiError {
  return new ApiError(
    503,
    'Service Unavailable',
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
  );
}

/** Over `--max-num-queued-tokens`. */
export function tooManyTokens(): ApiError {
  return new ApiError(
    503,
    'Service Unavailable',
    'The engine has reached its prefill token backlog limit. Please try again later or on a different instance.',
  );
}

/** Between SIGTERM and the end; the words are those of Python's thread pool. */
export function shuttingDown(): ApiError {
  return new ApiError(500, 'InternalServerError', 'cannot schedule new futures after shutdown');
}
