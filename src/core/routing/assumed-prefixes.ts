// What the router assumes each engine has cached, from what it sent there: chained hashes over
// blocks of the prompt's raw bytes, one bounded memory per engine. No tokenizer, no KV events.
import { hashBytesChain } from '../kv/index.ts';
import type { Endpoint, Outcome, PromptBlockNames, RoutingRequest } from './contract.ts';
import { type PrefixHolder, PrefixTree } from './prefix-tree.ts';

/**
 * Bytes per block. About 64 tokens: four of vLLM's blocks, 2 to 5 ms of prefill on an H100, so
 * finer blocks would cost more per pick than their precision is worth.
 */
const blockBytesDefault = 256;
/** Prompt bytes beyond this are ignored: about 500,000 tokens. */
const promptBytesMax = 2 * 1024 * 1024;
/** Cache size in tokens of an engine that does not report it:  llm-d's default, 31,250 blocks of 16. */
const cacheTokensDefault = 500_000;
/** Bytes per token until requests have shown it; also used to estimate `promptTokens`. */
const bytesPerTokenDefault = 4;
/**
 * Maximum blocks of one engine, whatever it reports; that is 16 million tokens. Bounds memory to 2 MB each if
 * prompts are long, and to 100 MB if each is one block.
 */
const blocksMaxLimit = 250_000;
/** The assumed size of a cache never shrinks below this share of the reported size. */
const capacityScaleMin = 0.25;

/** Trust never falls below this, so that an engine can win it back. */
const trustMin = 0.1;
/** This many consecutive responses with almost no assumed block cached mean that the cache was lost. */
const missesToReset = 4;

interface EngineMemory {
  readonly holder: PrefixHolder;
  /** Cache size that the engine last reported. */
  cacheTokens: number;
  /** Learned share of the engine's cache that serves prompts; outputs use the rest. */
  capacityScale: number;
  /** Consecutive responses with almost no assumed block cached. */
  misses: number;
}

/** A prompt, hashed once per pick and kept until its request ends. */
export interface PromptChain extends PromptBlockNames {
  /** Prompt tokens per byte block, by the request's own count. */
  readonly blockTokens: number;
  readonly promptTokens: number;
}

/** Predicts cached tokens per engine, and learns from what engines report. */
export class AssumedPrefixes {
  readonly #blockBytes: number;
  readonly #assumed = new Map<Endpoint, EngineMemory>();
  readonly #held = new PrefixTree();
  /** By holder: learned share of the assumed tokens that the engine really had; 1 before its first response. */
  #trust = new Float64Array(8);
  /** Holders in the order of the last queried endpoints; -1 for none. */
  #aligned: { readonly endpoints: readonly Endpoint[]; readonly holders: Int32Array } | undefined;
  #bytesPerToken = bytesPerTokenDefault;

  /** @param blockBytes A positive multiple of 4; shorter prompts are never recognised. */
  constructor(blockBytes: number = blockBytesDefault) {
    this.#blockBytes = blockBytes;
  }

  /** Hashes the prompt. The model is part of it: engines that serve several share no blocks. */
  chainOf(request: RoutingRequest): PromptChain {
    const known = request.promptBlockNames?.(this.#blockBytes);
    if (known !== undefined && known.hashes.length * this.#blockBytes <= promptBytesMax) {
      return this.#chain(request, known.hashes, known.promptBytes);
    }
    let promptBytes = 0;
    for (const part of request.prompt) promptBytes += part.length;
    const prompt = promptBytes > promptBytesMax ? firstBytes(request.prompt) : request.prompt;
    const hashes = hashBytesChain(prompt, this.#blockBytes, seedOf(request.model ?? ''));
    return this.#chain(request, hashes, promptBytes);
  }

  /**
   * Prompt tokens that each engine is expected to have cached, in [0, promptTokens).
   *
   * @param into Shape [n] or longer, aligned with `endpoints`.
   */
  count(endpoints: readonly Endpoint[], chain: PromptChain, into: Float64Array): void {
    const holders = this.#holdersOf(endpoints);
    const leading = this.#held.leadingBlocks(chain.hashes);
    // vLLM always computes at least the last token.
    const most = Math.max(0, chain.promptTokens - 1);
    for (let i = 0; i < holders.length; i++) {
      const holder = holders[i] as number;
      into[i] = 0;
      if (holder < 0) continue;
      const tokens =
        (leading[holder] as number) * chain.blockTokens * (this.#trust[holder] as number);
      into[i] = Math.min(Math.floor(tokens), most);
    }
  }

  /** The engine was sent this prompt and will have cached it. */
  sent(endpoint: Endpoint, chain: PromptChain): void {
    this.#held.touch(this.#beliefOf(endpoint).holder, chain.hashes);
  }

  /**
   * Compares the expected hits with those that the engine reported. An engine that never finds what it should
   * (prefix caching off, other prompts than the router sees) loses trust in its cache; one that lost
   * old prompts is assumed to be smaller, and grows back slowly; one that suddenly finds nothing has
   * lost its cache.
   *
   * @param expected The result of `count` at the pick.
   */
  finished(endpoint: Endpoint, chain: PromptChain, expected: number, outcome: Outcome): void {
    const { promptTokens, cachedTokens } = outcome;
    if (promptTokens && chain.promptBytes) {
      this.#bytesPerToken += (chain.promptBytes / promptTokens - this.#bytesPerToken) / 64;
    }
    const memory = this.#assumed.get(endpoint);
    // Two blocks of slack: byte blocks and token blocks have different boundaries.
    const slack = 2 * chain.blockTokens;
    if (memory === undefined || cachedTokens === undefined || expected <= slack) return;
    // The request's own token count may be an estimate; expected is in its units.
    const actual = cachedTokens * (promptTokens ? chain.promptTokens / promptTokens : 1);
    const found = Math.min(1, (actual + slack) / expected);
    const { number } = memory.holder;
    const trust = this.#trust[number] as number;
    const share = found === 1 ? 1 : found * trust;
    this.#trust[number] = Math.max(trustMin, trust + (share - trust) / 16);
    if (found === 1) this.#scaleCapacity(memory, Math.min(1, memory.capacityScale * 1.005));
    else if (found < 0.5) {
      this.#scaleCapacity(memory, Math.max(capacityScaleMin, memory.capacityScale * 0.97));
    }
    memory.misses = actual < expected / 10 ? memory.misses + 1 : 0;
    if (memory.misses === missesToReset) {
      memory.misses = 0;
      this.#held.clear(memory.holder);
    }
  }

  /** The engine's cache is empty, or the engine is gone. */
  reset(endpoint: Endpoint): void {
    const memory = this.#assumed.get(endpoint);
    if (memory === undefined) return;
    this.#held.removeHolder(memory.holder);
    this.#assumed.delete(endpoint);
    this.#aligned = undefined;
  }

  #chain({ promptTokens }: RoutingRequest, hashes: Float64Array, promptBytes: number): PromptChain {
    const blockBytes = this.#blockBytes;
    const blockTokens = promptBytes === 0 ? 0 : (promptTokens * blockBytes) / promptBytes;
    return { hashes, blockBytes, blockTokens, promptBytes, promptTokens };
  }

  #holdersOf(endpoints: readonly Endpoint[]): Int32Array {
    if (this.#aligned?.endpoints !== endpoints) {
      const holderOf = (endpoint: Endpoint) => this.#assumed.get(endpoint)?.holder.number ?? -1;
      this.#aligned = { endpoints, holders: Int32Array.from(endpoints, holderOf) };
    }
    return this.#aligned.holders;
  }

  #beliefOf(endpoint: Endpoint): EngineMemory {
    let memory = this.#assumed.get(endpoint);
    if (!memory) {
      const holder = this.#held.addHolder({ blocksMax: 1 });
      memory = { holder, cacheTokens: 0, capacityScale: 1, misses: 0 };
      this.#setTrust(holder.number, 1);
      this.#assumed.set(endpoint, memory);
      this.#aligned = undefined;
    }
    const { blocksTotal, blockTokens } = endpoint.reported ?? {};
    const cacheTokens = blocksTotal && blockTokens ? blocksTotal * blockTokens : cacheTokensDefault;
    if (cacheTokens !== memory.cacheTokens) {
      memory.cacheTokens = cacheTokens;
      this.#scaleCapacity(memory, memory.capacityScale);
    }
    return memory;
  }

  #setTrust(holder: number, trust: number): void {
    if (holder >= this.#trust.length) {
      const grown = new Float64Array(2 * holder);
      grown.set(this.#trust);
      this.#trust = grown;
    }
    this.#trust[holder] = trust;
  }

  #scaleCapacity(memory: EngineMemory, capacityScale: number): void {
    memory.capacityScale = capacityScale;
    const bytes = memory.cacheTokens * capacityScale * this.#bytesPerToken;
    const blocksMax = Math.min(blocksMaxLimit, bytes / this.#blockBytes);
    this.#held.setBlocksMax(memory.holder, blocksMax);
  }
}

function firstBytes(parts: readonly Uint8Array[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    kept.push(part.subarray(0, promptBytesMax - bytes));
    bytes += part.length;
    if (bytes >= promptBytesMax) break;
  }
  return kept;
}

/** FNV-1a of the model's name. */
function seedOf(model: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < model.length; i++) {
    hash = Math.imul(hash ^ model.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) + 1;
}
