import { SpillwayError } from '../../core/base/index.ts';

/** A child process died, or did not become ready in time. */
export class ChildError extends SpillwayError {
  override readonly name = 'ChildError';
  readonly code = 'ERR_CHILD';
}
