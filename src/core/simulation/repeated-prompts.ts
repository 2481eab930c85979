// Prompts that a benchmark sends again and again, and the KV cache that vLLM's prefix caching keeps of them.
import { type Random, shuffled } from '../base/index.ts';

/** A prompt of the benchmark's data set. */
export interface RepeatedPrompt {
  readonly tokens: number;
  /** Running requests that share its cached blocks. */
  users: number;
  isCached: boolean;
}

/** Tokens of a KV block of vLLM; only whole blocks are shared. */
const blockTokens = 16;

/**
 * A data set of prompts, sent in a new random order each time all were sent. A prompt is cached as a whole
 * once a request has computed it, and evicted as a whole when space is needed: among those that no
 * running request shares, the least recently used first.
 */
export class RepeatedPrompts {
  readonly #prompts: readonly RepeatedPrompt[];
  readonly #random: Random;
  #order: RepeatedPrompt[] = [];
  /** Cached prompts that no request uses; the least recently used first. */
  readonly #idle = new Set<RepeatedPrompt>();
  #usedTokens = 0;
  #idleTokens = 0;

  /** @param draw Length of a prompt, in tokens. */
  constructor(count: number, draw: () => number, random: Random) {
    this.#prompts = Array.from({ length: count }, () => ({
      ...{ tokens: draw(), users: 0, isCached: false },
    }));
    this.#random = random;
  }

  /** KV tokens of cached prompts that running requests share; each counts once. */
  get usedTokens(): number {
    return this.#usedTokens;
  }

  /** The prompt of the next request. */
  next(): RepeatedPrompt {
    if (this.#order.length === 0) this.#order = shuffled(this.#prompts, this.#random);
    return this.#order.pop() as RepeatedPrompt;
  }

  /** Tokens that a request with the prompt need not compute, now; the last token is always computed. */
  hitTokens(prompt: RepeatedPrompt): number {
    return prompt.isCached ? sharedTokens(prompt) : 0;
  }

  /** Tokens that a hit takes from the evictable ones. */
  idleTokens(prompt: RepeatedPrompt): number {
    return this.#idle.has(prompt) ? sharedTokens(prompt) : 0;
  }

  /** Caches a computed prompt, unless it is cached. Returns the tokens that the cache takes over. */
  keep(prompt: RepeatedPrompt): number {
    if (prompt.isCached) return 0;
    prompt.isCached = true;
    prompt.users = 1;
    this.#usedTokens += sharedTokens(prompt);
    return sharedTokens(prompt);
  }

  /** A request starts to share the cached prompt. */
  share(prompt: RepeatedPrompt): void {
    if (prompt.users++ > 0) return;
    this.#idle.delete(prompt);
    this.#idleTokens -= sharedTokens(prompt);
    this.#usedTokens += sharedTokens(prompt);
  }

  /** A request that shared it, or whose prompt was kept, has ended. */
  release(prompt: RepeatedPrompt): void {
    if (--prompt.users > 0) return;
    this.#idle.add(prompt);
    this.#idleTokens += sharedTokens(prompt);
    this.#usedTokens -= sharedTokens(prompt);
  }

  /** Evicts idle prompts until those left take at most this many tokens. */
  shrinkIdle(tokensMax: number): void {
    for (const prompt of this.#idle) {
      if (this.#idleTokens <= tokensMax) break;
      this.#idle.delete(prompt);
      this.#idleTokens -= sharedTokens(prompt);
      prompt.isCached = false;
    }
  }
}

function sharedTokens({ tokens }: RepeatedPrompt): number {
  return Math.floor((tokens - 1) / blockTokens) * blockTokens;
}
