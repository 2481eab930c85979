// The base of every error that Spillway raises on purpose.

/**
 * An error with a stable code, one clear sentence for people, and an exit status for shells.
 * The sentence states what is wrong, where, what is allowed, and what to do.
 */
export abstract class SpillwayError extends Error {
  /** Stable across releases; documented in docs/reference/errors.md. */
  abstract readonly code: `ERR_${string}`;
  /** Exit status if the command line ends with this error. */
  readonly exitCode: number = 1;
}

/** Input on the command line or in a file is invalid. */
export class InputError extends SpillwayError {
  override readonly name = 'InputError';
  readonly code = 'ERR_INPUT';
  override readonly exitCode = 2;
}

/** A server that the command line names cannot be reached, or does not respond as it should. */
export class NoResponseError extends SpillwayError {
  override readonly name = 'NoResponseError';
  readonly code = 'ERR_NO_RESPONSE';
  override readonly exitCode = 4;
}
