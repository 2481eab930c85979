// Errors for messages that do not follow their protocol.
import { SpillwayError } from '../base/index.ts';

/** A MessagePack message, such as a KV event or one of an LMCache worker, that cannot be read. */
export class MessagePackFormatError extends SpillwayError {
  override readonly name = 'MessagePackFormatError';
  readonly code = 'ERR_MESSAGE_PACK_FORMAT';
  /** Offset in the payload where reading stopped, in bytes. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`MessagePack message cannot be read at byte ${offset}: ${problem}`);
    this.offset = offset;
  }
}
