// The queue of requests that wait for admission: first come, first served, or by priority.
import type { Sequence } from './sequence.ts';

/** Both kinds can remove a sequence from any position: an aborted request leaves at once. */
export interface WaitingQueue extends Iterable<Sequence> {
  readonly size: number;
  peek(): Sequence | undefined;
  /** A new request. */
  push(sequence: Sequence): void;
  /** A preempted request, which goes to the front unless the policy ranks it otherwise. */
  prepend(sequence: Sequence): void;
  remove(sequence: Sequence): void;
}

/** vLLM's queue for the given `--scheduling-policy`. Unbounded, as in vLLM: limit requests before it. */
export function waitingQueue(policy: 'fcfs' | 'priority'): WaitingQueue {
  return policy === 'fcfs' ? new FcfsQueue() : new PriorityQueue();
}

/** A linked list: the cost of an operation does not depend on its length. */
class FcfsQueue implements WaitingQueue {
  size = 0;
  #head: Sequence | undefined;
  #tail: Sequence | undefined;

  peek(): Sequence | undefined {
    return this.#head;
  }

  push(sequence: Sequence): void {
    sequence.previous = this.#tail;
    sequence.next = undefined;
    if (this.#tail) this.#tail.next = sequence;
    else this.#head = sequence;
    this.#tail = sequence;
    this.size++;
  }

  prepend(sequence: Sequence): void {
    sequence.next = this.#head;
    sequence.previous = undefined;
    if (this.#head) this.#head.previous = sequence;
    else this.#tail = sequence;
    this.#head = sequence;
    this.size++;
  }

  remove(sequence: Sequence): void {
    const { previous, next } = sequence;
    if (previous) previous.next = next;
    else this.#head = next;
    if (next) next.previous = previous;
    else this.#tail = previous;
    sequence.previous = undefined;
    sequence.next = undefined;
    this.size--;
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    for (let sequence = this.#head; sequence; sequence = sequence.next) yield sequence;
  }
}

/** A binary heap by priority, then arrival, then id, as vLLM's `Request.__lt__`. */
class PriorityQueue implements WaitingQueue {
  readonly #heap: Sequence[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): Sequence | undefined {
    return this.#heap[0];
  }

  push(sequence: Sequence): void {
    sequence.queueIndex = this.#heap.length;
    this.#heap.push(sequence);
    this.#rise(sequence);
  }

  prepend(sequence: Sequence): void {
    this.push(sequence);
  }

  remove(sequence: Sequence): void {
    const index = sequence.queueIndex;
    const last = this.#heap.pop() as Sequence;
    sequence.queueIndex = -1;
    if (last === sequence) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  /** In order of urgency. */
  [Symbol.iterator](): Iterator<Sequence> {
    return [...this.#heap].sort((a, b) => (moreUrgent(a, b) ? -1 : 1))[Symbol.iterator]();
  }

  #place(sequence: Sequence, index: number): void {
    this.#heap[index] = sequence;
    sequence.queueIndex = index;
  }

  #rise(sequence: Sequence): void {
    while (sequence.queueIndex > 0) {
      const index = sequence.queueIndex;
      const parentIndex = (index - 1) >>> 1;
      const parent = this.#heap[parentIndex] as Sequence;
      if (!moreUrgent(sequence, parent)) return;
      this.#place(parent, index);
      this.#place(sequence, parentIndex);
    }
  }

  #sink(sequence: Sequence): void {
    for (;;) {
      const index = sequence.queueIndex;
      const left = this.#heap[2 * index + 1];
      if (left === undefined) return;
      const right = this.#heap[2 * index + 2];
      const child = right !== undefined && moreUrgent(right, left) ? right : left;
      if (!moreUrgent(child, sequence)) return;
      const childIndex = child.queueIndex;
      this.#place(child, index);
      this.#place(sequence, childIndex);
    }
  }
}

/** Whether `a` goes before `b` under the priority policy. */
export function moreUrgent(a: Sequence, b: Sequence): boolean {
  if (a.request.priority !== b.request.priority) return a.request.priority < b.request.priority;
  if (a.request.arrivalSeconds !== b.request.arrivalSeconds) {
    return a.request.arrivalSeconds < b.request.arrivalSeconds;
  }
  return a.request.id < b.request.id;
}
