// The layouts of `lm://` headers. The protocol has no version, so a server is told which one its clients speak.
import {
  type LmRequest,
  labelBytes,
  lmReply,
  lmReplyBytes,
  lmRequestBytes,
  readLmRequest,
} from './lm-frames.ts';

/** How headers are read and written. */
export interface LmLayout {
  /** Bytes of a client's header. */
  readonly requestBytes: number;
  /**
   * Whether LIST is answered, with an error. The engine of that time lists the server's keys when it starts, to load all of
   * them; later ones send no LIST, and their own server does not reply.
   */
  readonly refusesList: boolean;
  /** @param bytes Exactly `requestBytes`; not kept. */
  readRequest(bytes: Uint8Array): LmRequest;
  /** Writes a server's header, as `lmReply` does. */
  reply(code: 200 | 400, length?: number, label?: Uint8Array): Uint8Array;
}

/** Bytes of a client's header, by which layouts are known. */
export const lmLayoutNames = ['186', '182', '158'] as const;
export type LmLayoutName = (typeof lmLayoutNames)[number];

/** Where the location is in a client's header of 186 bytes, after command, length, format and dtype. */
const locationAt = 16;
const integerBytes = 4;

/**
 * The headers are those of 186 and 36 bytes without some integers: without the location (182 and 32 bytes), or without the
 * whole label (158 and 8 bytes). Both are read and written as if zeros stood there.
 *
 * @see lmcache/v1/protocol.py and lmcache/protocol.py of LMCache 0.3.2
 */
export const lmLayouts: Readonly<Record<LmLayoutName, LmLayout>> = {
  '186': {
    ...{ requestBytes: lmRequestBytes, refusesList: false },
    ...{ readRequest: readLmRequest, reply: lmReply },
  },
  '182': shorter(locationAt, integerBytes, lmReplyBytes - integerBytes),
  '158': { ...shorter(2 * integerBytes, labelBytes, 2 * integerBytes), refusesList: true },
};

/**
 * @param at Where a client's header lacks `count` bytes.
 * @param replyBytes Of a server's header, which lacks its end.
 */
function shorter(at: number, count: number, replyBytes: number): LmLayout {
  return {
    ...{ requestBytes: lmRequestBytes - count, refusesList: false },
    readRequest(bytes) {
      const whole = new Uint8Array(lmRequestBytes);
      whole.set(bytes.subarray(0, at));
      whole.set(bytes.subarray(at), at + count);
      return readLmRequest(whole);
    },
    reply: (code, length, label) => lmReply(code, length, label).subarray(0, replyBytes),
  };
}
