// Writes replies to a client's socket: values straight from the store's memory, and no more of them at once than the
// client reads.
import type { Writable } from 'node:stream';
import type { ValueLease } from '../../core/cache/index.ts';

/** Bytes that wait for a client; no further request of it is read while there are more. */
const waitingBytesMax = 1 << 20;

/** Bytes of values that wait for one client, whose memory cannot be evicted meanwhile; beyond it, values are misses. */
const leasedBytesMax = 256 << 20;

export class ReplyWriter {
  readonly #output: Writable;
  readonly #leases = new Set<ValueLease>();
  #leasedBytes = 0;

  constructor(output: Writable) {
    this.#output = output;
    output.once('close', () => {
      for (const lease of this.#leases) lease.release();
      this.#leases.clear();
    });
  }

  /** Whether the client has so many values to read that it gets no more. */
  get isCrowded(): boolean {
    return this.#leasedBytes > leasedBytesMax;
  }

  get isFull(): boolean {
    return this.#output.writableLength > waitingBytesMax;
  }

  write(bytes: Uint8Array): void {
    this.#output.write(bytes);
  }

  /** Writes a value between two texts in one call, because some clients read a header by a single recv. */
  writeValue(head: Uint8Array, value: ValueLease, end?: Uint8Array): void {
    const output = this.#output;
    output.cork();
    output.write(head);
    for (const span of value.spans) output.write(span);
    this.#leases.add(value);
    this.#leasedBytes += value.size;
    // The memory is in use until the kernel has all of it, or the connection is gone.
    output.write(end ?? new Uint8Array(0), () => {
      value.release();
      if (this.#leases.delete(value)) this.#leasedBytes -= value.size;
    });
    output.uncork();
  }

  /** Writes a last reply and closes the connection. */
  end(bytes: Uint8Array): void {
    this.#output.end(bytes);
  }
}
