// Measures how long KV blocks live, for a sample of them: `--kv-cache-metrics`.
import type { Random } from '../../../core/base/index.ts';
import type { BlockObserver } from '../../../core/kv/index.ts';

/** The lifetime of one sampled block, reported at its end. */
export interface BlockLifetime {
  readonly lifetimeSeconds: number;
  readonly idleSeconds: number;
  /** Times between the last accesses. */
  readonly reuseGapsSeconds: readonly number[];
}

/** Maximum number of accesses kept per block, as in vLLM 0.32, v1/core/kv_cache_metrics.py. */
const accessesMax = 4;

/** Follows sampled blocks from their allocation to their eviction; at most one entry per block. */
export class BlockLifetimes implements BlockObserver {
  readonly #sampleRate: number;
  readonly #random: Random;
  readonly #nowSeconds: () => number;
  readonly #onEnd: (lifetime: BlockLifetime) => void;
  readonly #blocks = new Map<
    number,
    { readonly birth: number; last: number; accesses: number[] }
  >();

  /** @param options `sampleRate`: share of allocations that are followed, in (0, 1]. */
  constructor(options: {
    readonly sampleRate: number;
    readonly random: Random;
    readonly nowSeconds: () => number;
    readonly onEnd: (lifetime: BlockLifetime) => void;
  }) {
    this.#sampleRate = options.sampleRate;
    this.#random = options.random;
    this.#nowSeconds = options.nowSeconds;
    this.#onEnd = options.onEnd;
  }

  allocated(block: number): void {
    if (this.#random.next() >= this.#sampleRate) return;
    const birth = this.#nowSeconds();
    this.#blocks.set(block, { birth, last: birth, accesses: [] });
  }

  accessed(block: number): void {
    const life = this.#blocks.get(block);
    if (life === undefined) return;
    life.last = this.#nowSeconds();
    life.accesses.push(life.last);
    if (life.accesses.length > accessesMax) life.accesses.shift();
  }

  evicted(block: number): void {
    const life = this.#blocks.get(block);
    if (life === undefined) return;
    this.#blocks.delete(block);
    const now = this.#nowSeconds();
    const { birth, last, accesses } = life;
    this.#onEnd({
      lifetimeSeconds: now - birth,
      idleSeconds: now - last,
      reuseGapsSeconds: accesses.slice(1).map((at, i) => at - (accesses[i] as number)),
    });
  }

  reset(): void {
    this.#blocks.clear();
  }
}
