// Requests that hold blocks without running: a tier fills them, or has filled them and they wait to be
// scheduled; or they have ended, and another engine reads their blocks.
import type { Sequence } from '../sequence.ts';
import { moreUrgent } from '../waiting-queue.ts';
import type { TieredSequence } from './contract.ts';

/**
 * vLLM's queue of waiting requests with KV blocks, which goes before the others. Bounded by the number of
 * blocks: each request here holds at least one.
 */
export class LoadingRequests {
  readonly #policy: 'fcfs' | 'priority';
  /** In scheduling order. */
  #queue: Sequence[] = [];
  /** Loaded, and reported as such. */
  readonly #settled = new Set<Sequence>();
  /**
   * Ended while a transfer into or out of their blocks was in progress, or due; their blocks are freed
   * after it.
   */
  readonly #orphans = new Set<Sequence>();
  #loaded = 0;

  constructor(policy: 'fcfs' | 'priority') {
    this.#policy = policy;
  }

  get size(): number {
    return this.#queue.length;
  }

  /** Requests of these whose load is done. */
  get loaded(): number {
    return this.#loaded;
  }

  inOrder(): readonly Sequence[] {
    return this.#queue;
  }

  /** All requests that hold blocks. */
  holders(): readonly Sequence[] {
    return [...this.#queue, ...this.#orphans];
  }

  add(sequence: Sequence): void {
    sequence.state = 'loading';
    const queue = this.#queue;
    const before =
      this.#policy === 'fcfs' ? -1 : queue.findIndex((other) => moreUrgent(sequence, other));
    // Copied instead of changed: a caller may be iterating over it.
    this.#queue =
      before < 0
        ? [...queue, sequence]
        : [...queue.slice(0, before), sequence, ...queue.slice(before)];
  }

  remove(sequence: Sequence): void {
    this.#queue = this.#queue.filter((other) => other !== sequence);
    this.#settled.delete(sequence);
    if (sequence.state === 'loaded') this.#loaded--;
  }

  abort(sequence: Sequence): void {
    this.remove(sequence);
    if (sequence.state === 'loading') this.#orphans.add(sequence);
  }

  /** The request has ended, and another engine reads its blocks. */
  keep(sequence: Sequence): void {
    this.#orphans.add(sequence);
  }

  /** A transfer is done. If its request has ended in the meantime, its blocks have to be freed. */
  done(tiered: TieredSequence): { readonly sequence: Sequence; readonly isOrphan: boolean } {
    const sequence = tiered as Sequence;
    if (this.#orphans.delete(sequence)) return { sequence, isOrphan: true };
    sequence.state = 'loaded';
    this.#loaded++;
    return { sequence, isOrphan: false };
  }

  /** Marks a loaded request as settled; returns whether it was not settled before. */
  settle(sequence: Sequence): boolean {
    if (this.#settled.has(sequence)) return false;
    this.#settled.add(sequence);
    return true;
  }
}
