// llm-d's scheduling profile of three weighted scorers: prefix cache, queue, KV utilisation.
// Source: llm-d-router@ebab687 (2026-08-22), pkg/epp/scheduling/scheduler_profile.go and the
// scorers prefix, queue and kvcacheutilization. 1:1:1 and 3:2:2 are the weights of its published
// arms (llm-d-benchmark benchmarking/73-capacity); 3:2:2 is the built-in default.
import type { Random } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfHighest } from './choose.ts';
import type { PromptBlocks } from './prefix-memory.ts';
import { approximatePrefixes, type PrefixSource, precisePrefixes } from './prefix-source.ts';

/** Interval between two scrapes of an engine's metrics: llm-d's default. */
export const llmdScrapeSeconds = 0.05;

const summary = 'llm-d: highest sum of prefix share + queue + free KV';
const reports = { need: 'required', everySeconds: llmdScrapeSeconds } as const;

function approximate<const Name extends string>(name: Name, weights: ScorerWeights) {
  return definePolicy({
    ...{ name, parameters: {}, consumes: { prompts: 'required', engineReports: reports } },
    summary: `${summary}, weighted ${weightsText(weights)}; cached blocks inferred from its own picks`,
    create: ({ random }) =>
      new LlmdWeightedPolicy({ name, random, weights, prefixes: approximatePrefixes() }),
  });
}

function precise<const Name extends string>(name: Name, weights: ScorerWeights) {
  return definePolicy({
    ...{ name, parameters: {} },
    consumes: {
      ...{ prompts: 'optional', kvEvents: 'required', tokens: 'required' },
      engineReports: reports,
    },
    summary: `${summary}, weighted ${weightsText(weights)}; cached blocks from KV events`,
    create: ({ random, kvIndex }) => {
      const prefixes = precisePrefixes(kvIndex, { speculates: true });
      return new LlmdWeightedPolicy({ name, random, weights, prefixes });
    },
  });
}

function weightsText({ prefix, queue, kvUsage }: ScorerWeights): string {
  return [prefix, queue, kvUsage].join(':');
}

const equal: ScorerWeights = { prefix: 1, queue: 1, kvUsage: 1 };
const builtIn: ScorerWeights = { prefix: 3, queue: 2, kvUsage: 2 };

export const llmdWeighted = [
  approximate('llmd-111-approximate', equal),
  precise('llmd-111-precise', equal),
  approximate('llmd-322-approximate', builtIn),
  precise('llmd-322-precise', builtIn),
] as const;

interface ScorerWeights {
  readonly prefix: number;
  readonly queue: number;
  readonly kvUsage: number;
}

interface WeightedPick extends Pick {
  readonly blocks: PromptBlocks;
}

/**
 * Picks the highest Σ weight · score, each score in [0, 1]; ties are random. Queue and KV usage are those
 * of the engine's last scrape; requests sent since do not count.
 */
class LlmdWeightedPolicy implements Policy {
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
