// What the router believes each engine has cached, from what it sent there: chained hashes over
// blocks of the prompt's raw bytes, one bounded memory per engine. No tokenizer, no KV events.
import { hashBytesChain } from '../kv/index.ts';
import type { Endpoint, Outcome, PromptBlockNames, RoutingRequest } from './contract.ts';
import { type PrefixHolder, PrefixTree } from './prefix-tree.ts';

/**
 * Bytes per block. About 64 tokens: four of vLLM's blocks, 2 to 5 ms of prefill on an H100, so
 * finer blocks would cost more per pick than their precision is worth.
 */
const blockBytesDefault = 256;
/** Prompt bytes past this are not looked at: about 500,000 tokens. */
const promptBytesMax = 2 * 1024 * 1024;
/** Cache size in tokens of an engine that did not tell: llm-d's default, 31,250 blocks of 16. */
const cacheTokensDefault = 500_000;
/** Bytes per token until requests have shown it; also what `promptTokens` is estimated by. */
const bytesPerTokenDefault = 4;
/**
 * Blocks of one engine, whatever it says, which is 16 million tokens: bounds memory to 2 MB each where
 * prompts are long, and to 100 MB where each is a block.
 */
const blocksMaxLimit = 250_000;
/** The belief in an engine's size never shrinks below this share of what it says. */
const capacityScaleMin = 0.25;

/** Trust never falls below this, so that an engine can win it back. */
const trustMin = 0.1;
/** So many answers in a row with nearly none of the believed blocks mean that the cache is gone. */
const missesToReset = 4;

interface Belief {
  readonly holder: PrefixHolder;
  /** What the engine last said of its size. */
  cacheTokens: number;
  /** Learned share of the engine's cache that serves prompts; outputs take the rest. */
  capacityScale: number;
  /** Answers in a row that found nearly nothing of what was believed. */
  misses: number;
}

/** A prompt, hashed once per pick and kept until its request ends. */
export interface PromptChain extends PromptBlockNames {
  /** Prompt tokens per byte block, by the request's own count. */
  readonly blockTokens: number;
  readonly promptTokens: number;
}

/** Predicts cached tokens per engine, and learns from what engines report. */
export class PrefixBeliefs {
  readonly #blockBytes: number;
  readonly #beliefs = new Map<Endpoint, Belief>();
  readonly #held = new PrefixTree();
  /** By holder: learned share of the believed tokens that the engine really had; 1 until it answers. */
  #trust = new Float64Array(8);
  /** Holders in the order of the endpoints that were asked about last; -1 for none. */
  #aligned: { readonly endpoints: readonly Endpoint[]; readonly holders: Int32Array } | undefined;
  #bytesPerToken = bytesPerTokenDefault;

  /** @param blockBytes A positive multiple of 4; prompts that are shorter are not known again. */
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
   * Compares what was expected with what the engine said. An engine that never finds what it should
   * (prefix caching off, other prompts than we see) loses our trust in its cache; one that lost
   * old prompts is taken for smaller, and grows back slowly; one that suddenly finds nothing has
   * lost its cache.
   *
   * @param expected What `count` said at the pick.
   */
  finished(endpoint: Endpoint, chain: PromptChain, expected: number, outcome: Outcome): void {
    const { promptTokens, cachedTokens } = outcome;
    if (promptTokens && chain.promptBytes > 0) {
      this.#bytesPerToken += (chain.promptBytes / promptTokens - this.#bytesPerToken) / 64;
    }
    const belief = this.#beliefs.get(endpoint);
    // Two blocks of slack: byte blocks and token blocks do not end at the same places.
    const slack = 2 * chain.blockTokens;
    if (belief === undefined || cachedTokens === undefined || expected <= slack) return;
    // The request's own token count may be an estimate; expected is in its units.
    const actual = cachedTokens * (promptTokens ? chain.promptTokens / promptTokens : 1);
    const found = Math.min(1, (actual + slack) / expected);
    const { number } = belief.holder;
    const trust = this.#trust[number] as number;
    const share = found === 1 ? 1 : found * trust;
    this.#trust[number] = Math.max(trustMin, trust + (share - trust) / 16);
    if (found === 1) this.#scaleCapacity(belief, Math.min(1, belief.capacityScale * 1.005));
    else if (found < 0.5) {
      this.#scaleCapacity(belief, Math.max(capacityScaleMin, belief.capacityScale * 0.97));
    }
    belief.misses = actual < expected / 10 ? belief.misses + 1 : 0;
    if (belief.misses === missesToReset) {
      belief.misses = 0;
      this.#held.clear(belief.holder);
    }
  }

  /** The engine's cache is empty, or the engine is gone. */
  reset(endpoint: Endpoint): void {
    const belief = this.#beliefs.get(endpoint);
    if (belief === undefined) return;
    this.#held.removeHolder(belief.holder);
    this.#beliefs.delete(endpoint);
    this.#aligned = undefined;
  }

  #chain({ promptTokens }: RoutingRequest, hashes: Float64Array, promptBytes: number): PromptChain {
    const blockBytes = this.#blockBytes;
    const blockTokens = promptBytes === 0 ? 0 : (promptTokens * blockBytes) / promptBytes;
    return { hashes, blockBytes, blockTokens, promptBytes, promptTokens };
  }

  #holdersOf(endpoints: readonly Endpoint[]): Int32Array {
    if (this.#aligned?.endpoints !== endpoints) {
      const holderOf = (endpoint: Endpoint) => this.#beliefs.get(endpoint)?.holder.number ?? -1;
      this.#aligned = { endpoints, holders: Int32Array.from(endpoints, holderOf) };
    }
    return this.#aligned.holders;
  }

  #beliefOf(endpoint: Endpoint): Belief {
    let belief = this.#beliefs.get(endpoint);
    if (!belief) {
      const holder = this.#held.addHolder({ blocksMax: 1 });
      belief = { holder, cacheTokens: 0, capacityScale: 1, misses: 0 };
      this.#setTrust(holder.number, 1);
      this.#beliefs.set(endpoint, belief);
      this.#aligned = undefined;
    }
    const { blocksTotal, blockTokens } = endpoint.reported ?? {};
    const cacheTokens = blocksTotal && blockTokens ? blocksTotal * blockTokens : cacheTokensDefault;
    if (cacheTokens !== belief.cacheTokens) {
      belief.cacheTokens = cacheTokens;
      this.#scaleCapacity(belief, belief.capacityScale);
    }
    return belief;
  }

  #setTrust(holder: number, trust: number): void {
    if (holder >= this.#trust.length) {
      const grown = new Float64Array(2 * holder);
      grown.set(this.#trust);
      this.#trust = grown;
    }
    this.#trust[holder] = trust;
  }

  #scaleCapacity(belief: Belief, capacityScale: number): void {
    belief.capacityScale = capacityScale;
    const bytes = belief.cacheTokens * capacityScale * this.#bytesPerToken;
    const blocksMax = Math.min(blocksMaxLimit, bytes / this.#blockBytes);
    this.#held.setBlocksMax(belief.holder, blocksMax);
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
