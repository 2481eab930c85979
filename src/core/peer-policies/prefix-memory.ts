// The prompts that peers' routers remember: chained hashes of prompt blocks per engine, with the time of their
// last use. Unlike `AssumedPrefixes`, and like all peers, it does not learn from responses.
import { hashBytesChain } from '../kv/index.ts';
import type { Endpoint, PromptBlockNames, RoutingRequest } from '../routing/index.ts';

/** A prompt cut into full blocks. */
export interface PromptBlocks {
  /** Entry i represents blocks 0..i. */
  readonly hashes: Float64Array;
  /** Prompt tokens per block, by the request's own count; 0 for an empty prompt. */
  readonly blockTokens: number;
}

/** Prompts in the form that peers' routers exchange. */
export type NamedPromptBlocks = PromptBlocks & PromptBlockNames;

/** Any seed works: a fleet in the simulator serves one model. */
const chainSeed = 1;

/** @param blockBytes A positive multiple of 4. */
export function promptBlocks(request: RoutingRequest, blockBytes: number): NamedPromptBlocks {
  const known = request.promptBlockNames?.(blockBytes);
  const promptBytes =
    known?.promptBytes ?? request.prompt.reduce((sum, part) => sum + part.length, 0);
  const hashes = known?.hashes ?? hashBytesChain(request.prompt, blockBytes, chainSeed);
  const blockTokens = promptBytes === 0 ? 0 : (request.promptTokens * blockBytes) / promptBytes;
  return { hashes, blockBytes, blockTokens, promptBytes };
}

/** Number of tokens in `blocks` blocks, minus the last token, which vLLM always computes. */
export function tokensOf(blocks: number, prompt: PromptBlocks, promptTokens: number): number {
  return Math.max(0, Math.min(Math.floor(blocks * prompt.blockTokens), promptTokens - 1));
}

export interface PrefixMemoryOptions {
  /** Maximum blocks of one engine; the least recently used is evicted first. */
  readonly blocksMax: number;
  /** A block that is unused for this long is forgotten. @default Infinity */
  readonly ttlSeconds?: number | undefined;
}

/**
 * One LRU per engine. A chain is touched from its tail to its head, so a block is never older than those after
 * it, and the rest of a chain is always a prefix of it.
 */
export class PrefixMemory {
  readonly #blocksMax: number;
  readonly #ttlSeconds: number;
  readonly #lastUse = new Map<Endpoint, Map<number, number>>();

  constructor({ blocksMax, ttlSeconds = Number.POSITIVE_INFINITY }: PrefixMemoryOptions) {
    this.#blocksMax = blocksMax;
    this.#ttlSeconds = ttlSeconds;
  }

  /** Number of blocks of the prompt, from its head, that the engine is assumed to hold. */
  leadingBlocks(endpoint: Endpoint, { hashes }: PromptBlocks, nowSeconds: number): number {
    const held = this.#lastUse.get(endpoint);
    if (held === undefined) return 0;
    const oldest = nowSeconds - this.#ttlSeconds;
    let [present, missing] = [0, hashes.length + 1];
    while (missing - present > 1) {
      const middle = (present + missing) >>> 1;
      const used = held.get(hashes[middle - 1] as number);
      if (used !== undefined && used >= oldest) present = middle;
      else missing = middle;
    }
    return present;
  }

  /** Time of the engine's last use of block `block` of the prompt; −Infinity if it does not hold it. */
  lastUseSeconds(endpoint: Endpoint, { hashes }: PromptBlocks, block: number): number {
    const used = this.#lastUse.get(endpoint)?.get(hashes[block] as number);
    return used ?? Number.NEGATIVE_INFINITY;
  }

  /**
   * Records that the engine was sent the prompt.
   *
   * @param blocksMax Capacity of this engine, if known; never above the memory's own bound.
   */
  touch(
    endpoint: Endpoint,
    { hashes }: PromptBlocks,
    nowSeconds: number,
    blocksMax: number = this.#blocksMax,
  ): void {
    const held = this.#lastUse.get(endpoint) ?? new Map<number, number>();
    this.#lastUse.set(endpoint, held);
    for (let i = hashes.length - 1; i >= 0; i--) {
      const hash = hashes[i] as number;
      held.delete(hash);
      held.set(hash, nowSeconds);
    }
    const excess = held.size - Math.min(blocksMax, this.#blocksMax);
    if (excess <= 0) return;
    let gone = 0;
    for (const hash of held.keys()) {
      if (gone++ >= excess) return;
      held.delete(hash);
    }
  }

  reset(endpoint: Endpoint): void {
    this.#lastUse.delete(endpoint);
  }
}
