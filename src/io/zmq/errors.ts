// Errors of ZeroMQ peers.
import { SpillwayError } from '../../core/base/index.ts';

/** The peer is not a ZMTP 3 peer that this socket can talk to, or it violated ZMTP. */
export class ZmtpError extends SpillwayError {
  override readonly name = 'ZmtpError';
  readonly code = 'ERR_ZMTP';
}

/** The peer could not be reached or did not respond in time. */
export class ZmqTimeoutError extends SpillwayError {
  override readonly name = 'ZmqTimeoutError';
  readonly code = 'ERR_ZMQ_TIMEOUT';
}
