// Errors for messages that do not follow their protocol.
import { SpillwayError } from '../base/index.ts';

/** A KV event message that cannot be read. */
export class KvEventFormatError extends SpillwayError {
  override readonly name = 'KvEventFormatError';
  readonly code = 'ERR_KV_EVENT_FORMAT';
  /** Offset in the payload where reading stopped, in bytes. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`KV event message cannot be read at byte ${offset}: ${problem}`);
    this.offset = offset;
  }
}
