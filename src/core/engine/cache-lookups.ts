// Lookups in the prefix cache and in the tiers below it, counted the way vLLM counts them.
import type { EngineConfig } from './config.ts';
import type { EngineListener } from './contract.ts';
import type { Sequence } from './sequence.ts';
import type { TierHit } from './tiers/contract.ts';

/** Lookups whose result was used: at admission, or before an asynchronous load. */
export class CacheLookups {
  /** Tokens, at the first lookup of each request only; `restored` counts hits in tiers at later ones. */
  readonly counts = {
    ...{ localQueries: 0, localHits: 0, externalQueries: 0, externalHits: 0 },
    restored: 0,
  };
  readonly #config: EngineConfig;
  readonly #listener: EngineListener;
  readonly #hasTiers: boolean;

  constructor(config: EngineConfig, listener: EngineListener, hasTiers: boolean) {
    this.#config = config;
    this.#listener = listener;
    this.#hasTiers = hasTiers;
  }

  /** @param localTokens Number of tokens of the sequence that the GPU's own cache holds. */
  count(sequence: Sequence, localTokens: number, hit: TierHit): void {
    const { request, knownTokens } = sequence;
    sequence.foundTokens = localTokens + hit.tokens;
    const isRepeated = sequence.cachedTokens !== undefined;
    if (isRepeated) {
      this.counts.restored += hit.tokens;
    } else {
      sequence.cachedTokens = localTokens + hit.tokens;
      sequence.externalTokens = hit.tokens;
      if (this.#config.enablePrefixCaching) {
        this.counts.localQueries += knownTokens;
        this.counts.localHits += localTokens;
      }
      if (this.#hasTiers) {
        this.counts.externalQueries += knownTokens - localTokens;
        this.counts.externalHits += hit.tokens;
      }
    }
    this.#listener.lookedUp?.({
      ...{ request, tokens: knownTokens, localTokens, isRepeated },
      external: this.#hasTiers ? { tokens: hit.tokens, source: hit.source } : undefined,
    });
  }
}
