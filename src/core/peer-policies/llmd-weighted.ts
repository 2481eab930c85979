// llm-d's scheduling profile of three weighted scorers: prefix cache, queue, KV utilisation.
// Source: llm-d-router@ebab687 (2026-08-22), pkg/epp/scheduling/scheduler_profile.go and the
// scorers prefix, queue and kvcacheutilization. 1:1:1 and 3:2:2 are the weights of its published
// arms (llm-d-benchmark benchmarking/73-capacity); 3:2:2 is the built-in default.
import type { Random } from '../base/index.ts';
import type { Endpoint, Pick, Policy, RoutingRequest } from '../routing/index.ts';
import { indexOfHighest } from './choose.ts';
import type { PromptBlocks } from './prefix-memory.ts';
import type { PrefixSource } from './prefix-source.ts';

export interface ScorerWeights {
  readonly prefix: number;
  readonly queue: number;
  readonly kvUsage: number;
}

interface WeightedPick extends Pick {
  readonly blocks: PromptBlocks;
}

/**
 * The highest Σ weight · score, each score in [0, 1]; equals are drawn. Queue and KV usage are what
 * the engine last reported, which llm-d asks for each 50 ms; requests sent since do not count.
 */
export class LlmdWeightedPolicy implements Policy {
  readonly name: string;
  readonly needsTokens: boolean;
  readonly readsKvEvents: boolean;
  readonly #random: Random;
  readonly #weights: ScorerWeights;
  readonly #prefixes: PrefixSource;

  constructor(options: {
    readonly name: string;
    readonly random: Random;
    readonly weights: ScorerWeights;
    readonly prefixes: PrefixSource;
  }) {
    this.name = options.name;
    this.needsTokens = options.prefixes.needsTokens;
    this.readsKvEvents = options.prefixes.needsTokens;
    this.#random = options.random;
    this.#weights = options.weights;
    this.#prefixes = options.prefixes;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): WeightedPick {
    const { blocks, cachedTokens } = this.#prefixes.match(request, endpoints, nowSeconds);
    const queue = queueScores(endpoints);
    const scores = endpoints.map(
      ({ reported }, i) =>
        this.#weights.prefix * hitShare(cachedTokens[i] as number, blocks) +
        this.#weights.queue * (queue[i] as number) +
        this.#weights.kvUsage * clamp(1 - (reported?.kvUsage ?? 0)),
    );
    const best = indexOfHighest(scores, this.#random);
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: `highest weighted score: ${(scores[best] as number).toFixed(3)}`,
      cachedTokens: cachedTokens[best] as number,
      scores,
      blocks,
    };
  }

  onSent(_request: RoutingRequest, pick: WeightedPick, nowSeconds: number): void {
    this.#prefixes.sent(pick.endpoint, pick.blocks, nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#prefixes.reset(endpoint);
  }
}

/** Matched share of the prompt's full blocks. */
export function hitShare(cachedTokens: number, { hashes, blockTokens }: PromptBlocks): number {
  return hashes.length === 0 ? 0 : clamp(cachedTokens / (hashes.length * blockTokens));
}

/** (max − waiting) / (max − min) over the candidates; all 1 if they are equal. */
export function queueScores(endpoints: readonly Endpoint[]): number[] {
  const waiting = endpoints.map(({ reported }) => reported?.waiting ?? 0);
  const [least, most] = [Math.min(...waiting), Math.max(...waiting)];
  return waiting.map((own) => (most === least ? 1 : (most - own) / (most - least)));
}

function clamp(score: number): number {
  return Math.min(1, Math.max(0, score));
}
