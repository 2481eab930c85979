// The requests of a batch that decode. Each gains one token a step, so what a step asks of all of them is
// kept as sums, and a step costs those that begin or end in it.
import { MinHeap } from '../base/index.ts';

/** What is brought up to date when the request leaves. */
export interface Decoding {
  /** Tokens of its context. */
  computed: number;
  generated: number;
  /** Tokens of the whole answer. */
  readonly output: number;
}

interface Decode<T> {
  readonly request: T;
  /** Steps before it began. */
  readonly sinceStep: number;
  hasLeft: boolean;
}

export class Decodes<T extends Decoding> {
  #count = 0;
  /** Steps so far. */
  #step = 0;
  #tokens = 0;
  /** By the step after which each ends; of equal ones the first to begin is the first to end. */
  readonly #ends = new MinHeap<Decode<T>>();
  /** In the order in which they began. */
  #all: Decode<T>[] = [];

  get count(): number {
    return this.#count;
  }

  /** Of all contexts. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Until the first of them ends; Infinity if there is none. */
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

  /** Takes one out that has its whole answer; undefined if none has. */
  takeEnded(): T | undefined {
    if (this.stepsLeft > 0) return undefined;
    return this.#leave(this.#ends.take());
  }

  /** Takes out who began last; undefined if there is none. */
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
    // Those that have left are at most as many as those that are in.
    if (this.#all.length > 2 * this.#count + 16) {
      this.#all = this.#all.filter(({ hasLeft }) => !hasLeft);
    }
    return request;
  }
}
