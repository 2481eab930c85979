// The only error of the HTTP parsers: the bytes are not a message that we accept.
import { SpillwayError } from '../../core/base/index.ts';

/** Statuses with which a server refuses a request head or body. */
export type RefusalStatus = 400 | 401 | 403 | 408 | 413 | 414 | 415 | 417 | 431 | 501 | 503 | 505;

/** Bytes that the narrow grammar rejects. `status` is the response if a client sent them. */
export class HttpSyntaxError extends SpillwayError {
  override readonly name = 'HttpSyntaxError';
  readonly code = 'ERR_HTTP_SYNTAX';
  readonly status: RefusalStatus;

  constructor(status: RefusalStatus, message: string) {
    super(message);
    this.status = status;
  }
}
