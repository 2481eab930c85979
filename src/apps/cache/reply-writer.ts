// Writes replies to a client's socket: values straight from the store's memory, and no more of them at once than the
// client reads.
import type { Writable } from 'node:stream';
import { pieceBytes, type ValueLease } from '../../core/cache/index.ts';
import { type MemoryAccount, noAccount } from './client-memory.ts';
import { type CommandTurns, endlessTurns } from './command-turns.ts';

/** Bytes that wait for a client; no further request of it is read while there are more. */
const waitingBytesMax = 1 << 20;

/** Bytes of values that wait for one client, whose memory cannot be evicted meanwhile; beyond it, values are misses. */
const leasedBytesMax = 256 << 20;

/** Values up to this size are checked before their reply begins, so that wrong bytes are a miss; larger ones piece by piece. */
const checkedFirstBytesMax = 4 << 20;

/** Pieces of values that the socket may have: one that the kernel takes, and one behind it, so that it never waits for the next. */
const piecesMax = 2;

/** A value that waits for the client to read what is before it. */
interface WaitingValue {
  readonly value: ValueLease;
  at: number;
  readonly to: number;
  readonly end: Uint8Array;
}

/** Part of a value; both in bytes. @default all */
interface ValuePart {
  readonly from: number;
  readonly to: number;
}

export class ReplyWriter {
  readonly #output: Writable;
  readonly #turns: Pick<CommandTurns, 'spend' | 'isSpent' | 'next'>;
  readonly #account: MemoryAccount;
  readonly #leases = new Set<ValueLease>();
  #leasedBytes = 0;
  /** Bytes of values that the socket has and the kernel has not. */
  #valueBytes = 0;
  /** Short replies of `together`, in order. */
  #gathered: Uint8Array[] | undefined;
  #gatheredBytes = 0;
  /** What comes behind a value that is written piece by piece, that one first. */
  #waiting: (WaitingValue | Uint8Array)[] = [];
  #waitingBytes = 0;
  /** Pieces that the socket has and the kernel has not. */
  #pieces = 0;
  #isPumping = false;
  #whenTaken = () => {};
  #isSettling = false;
  /** Called when all that waited behind a value is with the socket. */
  whenWritten = () => {};

  /**
   * @param turns What may be checked and written in one turn, in bytes. @default no bound
   * @param account Where replies that are not read are counted. @default nowhere
   */
  constructor(
    output: Writable,
    turns: Pick<CommandTurns, 'spend' | 'isSpent' | 'next'> = endlessTurns,
    account = noAccount,
  ) {
    this.#output = output;
    this.#turns = turns;
    this.#account = account;
    output.once('close', () => {
      for (const lease of this.#leases) lease.release();
      this.#leases.clear();
      this.#waiting = [];
    });
  }

  /** Whether the client has so many values to read that it gets no more. */
  get isCrowded(): boolean {
    return this.#leasedBytes > leasedBytesMax;
  }

  /** Whether a value is written piece by piece; `whenWritten` is called after it. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  get isFull(): boolean {
    return this.isBusy || this.#output.writableLength + this.#gatheredBytes > waitingBytesMax;
  }

  /** Whether a value of this size is to be checked before its reply begins; the turn then has less for others. */
  checksFirst(bytes: number): boolean {
    if (bytes > checkedFirstBytesMax || this.#turns.isSpent) return false;
    this.#turns.spend(bytes);
    return true;
  }

  write(bytes: Uint8Array): void {
    if (this.#gathered === undefined) {
      this.#put(bytes);
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
    this.#put(gathered.length === 1 ? first : Buffer.concat(gathered));
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  #put(bytes: Uint8Array): void {
    if (this.isBusy) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    } else this.#output.write(bytes);
    this.#settle();
  }

  /** Writes a value between two texts in one call, because some clients read a header by a single recv. */
  writeValue(head: Uint8Array, value: ValueLease, end = nothing, part?: ValuePart): void {
    const { from, to } = part ?? { from: 0, to: value.size };
    this.#leases.add(value);
    this.#leasedBytes += value.size;
    const waiting = { value, at: from, to, end };
    this.#flush();
    if (this.isBusy) {
      this.#put(head);
      this.#waiting.push(waiting);
      return;
    }
    this.#output.cork();
    this.#output.write(head);
    if (value.isChecked) this.#writeRest(waiting);
    else {
      this.#waiting.push(waiting);
      this.#pump();
    }
    this.#output.uncork();
  }

  /** Writes what waits, as far as the client reads it and others do not have their turn. */
  #pump(): void {
    if (this.#isPumping) return;
    while (this.isBusy) {
      if (this.#output.destroyed) return;
      if (this.#pieces >= piecesMax || this.#turns.isSpent) {
        this.#isPumping = true;
        const goOn = () => {
          this.#whenTaken = () => {};
          this.#isPumping = false;
          this.#pump();
        };
        if (this.#turns.isSpent) this.#turns.next(goOn);
        else this.#whenTaken = goOn;
        return;
      }
      this.#writeNext();
    }
    this.#settle();
    // Not within the call that has written the value.
    setImmediate(() => !this.isBusy && this.whenWritten());
  }

  #writeNext(): void {
    const [first] = this.#waiting as [WaitingValue | Uint8Array];
    if (first instanceof Uint8Array) {
      this.#waiting.shift();
      this.#waitingBytes -= first.length;
      this.#output.write(first);
      return;
    }
    const { value, at, to } = first;
    const until = Math.min(to, (Math.floor(at / pieceBytes) + 1) * pieceBytes);
    // However little of the piece is written, all of it is checked.
    this.#turns.spend(pieceBytes);
    if (!value.isRight(at, until)) {
      // The client knows the size already: only the end of the connection tells it that there is no such value.
      this.#output.destroy();
      return;
    }
    if (until === to) {
      this.#waiting.shift();
      this.#writeRest(first);
      return;
    }
    first.at = until;
    this.#output.cork();
    this.#writeSpans(value.spans, at, until);
    this.#pieces++;
    this.#output.write(nothing, () => {
      this.#pieces--;
      this.#valueBytes -= until - at;
      this.#whenTaken();
    });
    this.#output.uncork();
  }

  #writeRest({ value, at, to, end }: WaitingValue): void {
    this.#output.cork();
    this.#writeSpans(value.spans, at, to);
    // The memory is in use until the kernel has all of it, or the connection is gone.
    this.#output.write(end, () => {
      this.#valueBytes -= to - at;
      value.release();
      if (this.#leases.delete(value)) this.#leasedBytes -= value.size;
    });
    this.#output.uncork();
  }

  #writeSpans(spans: readonly Uint8Array[], from: number, to: number): void {
    this.#valueBytes += to - from;
    let at = 0;
    for (const span of spans) {
      if (at >= to) return;
      const part = span.subarray(Math.max(0, from - at), Math.max(0, to - at));
      if (part.length > 0) this.#output.write(part);
      at += span.length;
    }
  }

  /** Counts what the client has not read, but for values. */
  #settle(): void {
    const own = this.#output.writableLength - this.#valueBytes + this.#waitingBytes;
    this.#account.set('replies', own);
    if (own <= 0 || this.#isSettling) return;
    this.#isSettling = true;
    this.#output.once('drain', () => {
      this.#isSettling = false;
      this.#settle();
    });
  }

  /** Writes a last reply and closes the connection. */
  end(bytes: Uint8Array): void {
    this.#flush();
    this.#output.end(bytes);
  }
}

const nothing = new Uint8Array(0);
