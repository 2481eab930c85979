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
  /** Short replies of `together`, in order. */
  #gathered: Uint8Array[] | undefined;
  #gatheredBytes = 0;

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
    return this.#output.writableLength + this.#gatheredBytes > waitingBytesMax;
  }

  write(bytes: Uint8Array): void {
    if (this.#gathered === undefined) {
      this.#output.write(bytes);
      return;
    }
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
  }

  /**
   * Writes the replies of `step` in one call, not one each: hundreds of small packets cost the kernel more than their bytes, most of all
   * where a client leaves them unread.
   */
  together(step: () => void): void {
    this.#gathered = [];
    try {
      step();
    } finally {
      this.#flush();
      this.#gathered = undefined;
    }
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered === undefined || gathered.length === 0) return;
    const [first] = gathered as [Uint8Array];
    this.#output.write(gathered.length === 1 ? first : Buffer.concat(gathered));
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  /** Writes a value between two texts in one call, because some clients read a header by a single recv. */
  writeValue(head: Uint8Array, value: ValueLease, end?: Uint8Array): void {
    const output = this.#output;
    output.cork();
    this.#flush();
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
    this.#flush();
    this.#output.end(bytes);
  }
}
