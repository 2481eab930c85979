// One client of the `lm://` protocol: strictly one request after the other.
import type { MemoryStore, ValueWriter } from '../../core/cache/index.ts';
import { type LmRequest, lmReply, lmRequestBytes, readLmRequest } from '../../core/lm/index.ts';
import type { ReplyWriter } from './reply-writer.ts';

export class LmConnection {
  readonly #store: MemoryStore;
  readonly #replies: ReplyWriter;
  readonly #head = new Uint8Array(lmRequestBytes);
  #headLength = 0;
  /** Bytes of a PUT that are still to come. */
  #bodyRest = 0;
  /** Where they go; undefined if the store has no room, so that they are dropped. */
  #writer: ValueWriter | undefined;

  constructor(store: MemoryStore, replies: ReplyWriter) {
    this.#store = store;
    this.#replies = replies;
  }

  /** Whether a request has begun and is not complete. */
  get isWaiting(): boolean {
    return this.#headLength > 0 || this.#bodyRest > 0;
  }

  /**
   * Takes bytes of the client.
   *
   * @returns The number taken: fewer than all if replies wait for the client.
   * @throws {RangeError} If a request makes no sense; the connection has to be closed.
   */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !(this.#replies.isFull && !this.isWaiting)) {
      at += this.#bodyRest > 0 ? this.#body(bytes.subarray(at)) : this.#header(bytes.subarray(at));
    }
    return at;
  }

  /** The connection is gone: a value that is not complete is never seen. */
  close(): void {
    this.#writer?.abort();
    this.#writer = undefined;
  }

  #header(bytes: Uint8Array): number {
    const part = bytes.subarray(0, lmRequestBytes - this.#headLength);
    this.#head.set(part, this.#headLength);
    this.#headLength += part.length;
    if (this.#headLength === lmRequestBytes) {
      this.#headLength = 0;
      this.#request(readLmRequest(this.#head));
    }
    return part.length;
  }

  #body(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#bodyRest);
    this.#bodyRest -= part.length;
    this.#writer?.write(part);
    if (this.#bodyRest === 0) this.#endPut();
    return part.length;
  }

  #request({ command, length, key, label }: LmRequest): void {
    switch (command) {
      case 'put':
        if (length < 0) throw new RangeError(`A body of ${length} bytes`);
        this.#writer = this.#store.reserve(key, length, label);
        this.#bodyRest = length;
        if (length === 0) this.#endPut();
        return;
      case 'get':
        this.#get(key);
        return;
      case 'exist':
        this.#replies.write(lmReply(this.#store.exists(key) ? 200 : 400));
        return;
      case 'health':
        this.#replies.write(lmReply(200));
        return;
      case 'list':
      case undefined:
        // The reference server sends nothing, so no client waits for a reply.
        return;
    }
  }

  /** A PUT has no reply. */
  #endPut(): void {
    this.#writer?.commit();
    this.#writer = undefined;
  }

  #get(key: string): void {
    const value = this.#store.lease(key);
    if (value === undefined) {
      this.#replies.write(lmReply(400));
      return;
    }
    const { size, label } = value;
    this.#replies.writeValue(lmReply(200, size, label ?? bytesLabel(size)), value);
  }
}

/** The label of a value that came over another protocol: format 4, bytes of this size. */
function bytesLabel(size: number): Uint8Array {
  const label = new Uint8Array(28);
  const view = new DataView(label.buffer);
  view.setInt32(0, 4, true);
  view.setInt32(12, size, true);
  return label;
}
