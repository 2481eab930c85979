// llm-d's sticky-until-saturated: engines that hold the prompt keep it until they are seconds behind the
// others; among the remaining engines, the least prefill wins.
// Source: llm-d-router@ebab687 (2026-08-22), the default of its guides since 2026-08-17.
import type { Random } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfHighest } from './choose.ts';
import { hitShare, llmdScrapeSeconds } from './llmd-weighted.ts';
import type { PromptBlocks } from './prefix-memory.ts';
import { approximatePrefixes, type PrefixSource, precisePrefixes } from './prefix-source.ts';

const summary =
  'llm-d: engines that hold 0.8 of the prompt, until 18 s behind; then the least prefill';
const parameters = {
  peakTokensPerSecond: {
    type: 'number',
    unit: 'tokens/s',
    min: 1,
    default: 15_928,
    help: 'R_peak, prefill of an engine whose step is full; the default is llm-d’s figure for Qwen3-32B on two H100, and simulations compute it for their engines',
  },
} as const;

const approximateName = 'llmd-sticky-approximate';
const preciseName = 'llmd-sticky-precise';

export const llmdSticky = [
  definePolicy({
    ...{
      name: approximateName,
      parameters,
      summary: `${summary}; cached blocks inferred from its own picks`,
    },
    consumes: {
      prompts: 'required',
      engineReports: { need: 'optional', everySeconds: llmdScrapeSeconds },
    },
    create: ({ random, parameters: { peakTokensPerSecond } }) => {
      const options = { name: approximateName, random, peakTokensPerSecond };
      return new LlmdStickyPolicy({ ...options, prefixes: approximatePrefixes() });
    },
  }),
  definePolicy({
    ...{ name: preciseName, parameters, summary: `${summary}; cached blocks from KV events` },
    consumes: { prompts: 'optional', kvEvents: 'required', tokens: 'required' },
    create: ({ random, kvIndex, parameters: { peakTokensPerSecond } }) => {
      const options = { name: preciseName, random, peakTokensPerSecond };
      const prefixes = precisePrefixes(kvIndex, { speculates: true });
      return new LlmdStickyPolicy({ ...options, prefixes });
    },
  }),
] as const;

/** An engine is sticky with this share of the prompt cached. */
const stickyShareMin = 0.8;
/** T_max. */
const behindSecondsMax = 18;
/** Prefill in flight at which the token-load score is 0. */
const tokenLoadMax = 4_194_304;

interface StickyPick extends Pick {
  readonly blocks: PromptBlocks;
}

class LlmdStickyPolicy implements Policy {
  readonly name: string;
  readonly needsTokens: boolean;
  readonly readsKvEvents: boolean;
  readonly #random: Random;
  readonly #prefixes: PrefixSource;
  readonly #peakTokensPerSecond: number;

  constructor(options: {
    readonly name: string;
    readonly random: Random;
    readonly prefixes: PrefixSource;
    readonly peakTokensPerSecond: number;
  }) {
    this.name = options.name;
    this.needsTokens = options.prefixes.needsTokens;
    this.readsKvEvents = options.prefixes.needsTokens;
    this.#random = options.random;
    this.#prefixes = options.prefixes;
    this.#peakTokensPerSecond = options.peakTokensPerSecond;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): StickyPick {
    const { blocks, cachedTokens } = this.#prefixes.match(request, endpoints, nowSeconds);
    const { promptTokens } = request;
    const isSticky = cachedTokens.map((tokens) => hitShare(tokens, blocks) >= stickyShareMin);
    const stays = isSticky.includes(true) && !this.#isSaturated(endpoints, isSticky);
    const scores = endpoints.map(({ load }, i) => {
      if (stays && !isSticky[i]) return 0;
      const tokens = load.prefillTokens + promptTokens - (cachedTokens[i] as number);
      return 1 - Math.min(tokens, tokenLoadMax) / tokenLoadMax;
    });
    const best = indexOfHighest(scores, this.#random);
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: `${stays ? 'sticky; ' : ''}best token load: ${(scores[best] as number).toFixed(5)}`,
      cachedTokens: cachedTokens[best] as number,
      scores,
      blocks,
    };
  }

  onSent(_request: RoutingRequest, pick: StickyPick, nowSeconds: number): void {
    this.#prefixes.sent(pick.endpoint, pick.blocks, nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#prefixes.reset(endpoint);
  }

  /** Whether even the least busy sticky engine is more than T_max behind the least busy other. */
  #isSaturated(endpoints: readonly Endpoint[], isSticky: readonly boolean[]): boolean {
    const leastOf = (sticky: boolean) =>
      endpoints.reduce(
        (least, { load }, i) =>
          isSticky[i] === sticky ? Math.min(least, load.prefillTokens) : least,
        Number.POSITIVE_INFINITY,
      );
    const behind = leastOf(true) - leastOf(false);
    return behind / this.#peakTokensPerSecond > behindSecondsMax;
  }
}
