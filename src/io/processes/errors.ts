import { SpillwayError } from '../../core/base/index.ts';

interface ChildErrorOptions {
  /** The cause without the child's name, e.g. `exit code 1: ValueError: …`. Default: the message. */
  readonly reason?: string;
  /** Whether the same start may succeed when it is tried again. Default false. */
  readonly isRetriable?: boolean;
}

/** A child process died, or did not become ready in time. */
export class ChildError extends SpillwayError {
  override readonly name = 'ChildError';
  readonly code = 'ERR_CHILD';
  readonly reason: string;
  readonly isRetriable: boolean;

  constructor(message: string, { reason = message, isRetriable = false }: ChildErrorOptions = {}) {
    super(message);
    this.reason = reason;
    this.isRetriable = isRetriable;
  }
}
