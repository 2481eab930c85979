// The decoding requests of a batch. Each gains one token per step, so the load of a step is kept as sums,
// and a step costs time only for requests that begin or end in it.
import { MinHeap } from '../base/index.ts';

/** The part of a request that is updated when it leaves. */
export interface Decoding {
  /** Tokens of its context. */
  computed: number;
  generated: number;
  /** Tokens of the complete output. */
  readonly output: number;
}

interface Decode<T> {
  readonly request: T;
  /** Steps before it started. */
  readonly sinceStep: number;
  hasLeft: boolean;
}

export class Decodes<T extends Decoding> {
  #count = 0;
  /** Steps so far. */
  #step = 0;
  #tokens = 0;
  /** Ordered by the step after which each ends; among equals, the first to start is the first to end. */
  readonly #ends = new MinHeap<Decode<T>>();
  /** In the order in which they started. */
  #all: Decode<T>[] = [];

  get count(): number {
    return this.#count;
  }

  /** Sum over all contexts. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Steps until the first of them ends; Infinity if there is none. */
  get stepsLeft(): number {
    while (this.#ends.least?.hasLeft) this.#ends.take();
    return this.#ends.leastRank - this.#step;
  }

  begin(request: T): void {
    const decode = { request, sinceStep: this.#step, hasLeft: false };
    this.#ends.add(this.#step + request.output - request.generated, decode);
    this.#all.push(decode);
    this.#count++;
    this.#tokens += request.computed;
  }

  /** @param steps At most `stepsLeft`. */
  advance(steps: number): void {
    this.#step += steps;
    this.#tokens += steps * this.#count;
  }

  /** Removes one that has its complete output; undefined if none has. */
  takeEnded(): T | undefined {
    if (this.stepsLeft > 0) return undefined;
    return this.#leave(this.#ends.take());
  }

  /** Removes the one that started last; undefined if there is none. */
  takeYoungest(): T | undefined {
    while (this.#all.at(-1)?.hasLeft) this.#all.pop();
    return this.#leave(this.#all.pop());
  }

  #leave(decode: Decode<T> | undefined): T | undefined {
    if (decode === undefined) return undefined;
    const { request, sinceStep } = decode;
    request.computed += this.#step - sinceStep;
    request.generated += this.#step - sinceStep;
    decode.hasLeft = true;
    this.#count--;
    this.#tokens -= request.computed;
    // At most as many have left as are still in the batch.
    if (this.#all.length > 2 * this.#count + 16) {
      this.#all = this.#all.filter(({ hasLeft }) => !hasLeft);
    }
    return request;
  }
}
