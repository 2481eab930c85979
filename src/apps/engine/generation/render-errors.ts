// What the render routes refuse.
import { type ApiError, badRequest } from '../../../core/api/index.ts';

/** A beam search is many requests to an engine; there is no one rendering of it. */
export function noRenderedBeams(): ApiError {
  return badRequest('Beam search is not supported by the render endpoint');
}

/** @throws {ApiError} 400 if a prompt came to nothing. */
export function checkRendered(tokens: readonly number[]): void {
  if (tokens.length === 0) throw badRequest('No token_ids rendered');
}
