// What peers' routers remember of prompts: per engine, chained hashes of prompt blocks with the time
// of their last use. Unlike `PrefixBeliefs` nothing is learned from answers, as none of the peers
// learns from them.
import { hashBytesChain } from '../kv/index.ts';
import type { Endpoint, PromptBlockNames, RoutingRequest } from '../routing/index.ts';

/** A prompt cut into full blocks. */
export interface PromptBlocks {
  /** Entry i stands for blocks 0..i. */
  readonly hashes: Float64Array;
  /** Prompt tokens per block, by the request's own count; 0 for an empty prompt. */
  readonly blockTokens: number;
}

/** As other routers are told of them. */
export type NamedPromptBlocks = PromptBlocks & PromptBlockNames;

/** Any seed will do: a fleet in the simulator serves one model. */
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

/** What `blocks` blocks are in tokens, less the last token, which vLLM always computes. */
export function tokensOf(blocks: number, prompt: PromptBlocks, promptTokens: number): number {
  return Math.max(0, Math.min(Math.floor(blocks * prompt.blockTokens), promptTokens - 1));
}

export interface PrefixMemoryOptions {
  /** Blocks of one engine; the least recently used leaves when there are more. */
  readonly blocksMax: number;
  /** A block not used for so long is forgotten. @default Infinity */
  readonly ttlSeconds?: number | undefined;
}

/**
 * One LRU per engine. A chain is touched from its tail to its head, so a block is never older than
 * those behind it, and what is held of a chain is always a prefix of it.
 */
export class PrefixMemory {
  readonly #blocksMax: number;
  readonly #ttlSeconds: number;
  readonly #lastUse = new Map<Endpoint, Map<number, number>>();

  constructor({ blocksMax, ttlSeconds = Number.POSITIVE_INFINITY }: PrefixMemoryOptions) {
    this.#blocksMax = blocksMax;
    this.#ttlSeconds = ttlSeconds;
  }

  /** How many blocks of the prompt, from its head, the engine is held to have. */
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

  /** When the engine last used block `block` of the prompt; −Infinity if it does not hold it. */
  lastUseSeconds(endpoint: Endpoint, { hashes }: PromptBlocks, block: number): number {
    const used = this.#lastUse.get(endpoint)?.get(hashes[block] as number);
    return used ?? Number.NEGATIVE_INFINITY;
  }

  /**
   * The engine was sent the prompt.
   *
   * @param blocksMax Of this engine, if its size is known; never over the memory's own bound.
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
