// Loads from a tier only where computing would take longer: after a preemption, or for a new prompt.
import type { StepCostModel } from '../contract.ts';
import type { KvConnector, TieredSequence, TierHit, TierStats, TierStep } from './contract.ts';

/**
 * A connector whose hits count only if loading them is faster than computing them, for one request
 * considered alone. vLLM loads every hit, however slow the tier; this shows what it would gain from a
 * comparison.
 *
 * @param options.cost Cost model of the engine that the connector belongs to.
 */
export function onlyCheaperLoads(options: {
  readonly connector: KvConnector;
  readonly cost: StepCostModel;
}): KvConnector {
  const { connector, cost } = options;
  const isWorth = ({ tokens, loadSeconds = 0 }: TierHit, localTokens: number) =>
    loadSeconds < computeSeconds(cost, localTokens, tokens);
  return {
    lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number) {
      const hit = connector.lookup(sequence, localTokens, nowSeconds);
      if (hit === undefined || hit.tokens === 0 || isWorth(hit, localTokens)) return hit;
      return { tokens: 0, isAsync: false, source: hit.source };
    },
    load: (...given: Parameters<KvConnector['load']>) => connector.load(...given),
    planned: (step: TierStep) => connector.planned(step),
    advance: (nowSeconds: number) => connector.advance(nowSeconds),
    hasFailed: (sequence: TieredSequence) => connector.hasFailed?.(sequence) ?? false,
    finished: (sequence: TieredSequence) => connector.finished(sequence),
    keepsBlocks: (...given) => connector.keepsBlocks?.(...given) ?? false,
    get nextSeconds(): number {
      return connector.nextSeconds;
    },
    reset: () => connector.reset(),
    leading: (...given) => connector.leading?.(...given) ?? [],
    loadSecondsPerToken: (source) => connector.loadSecondsPerToken?.(source),
    get stats(): TierStats {
      return connector.stats;
    },
  };
}

/** What the tokens add to a step that runs in any case. */
function computeSeconds(cost: StepCostModel, contextTokens: number, tokens: number): number {
  const load = {
    ...{ sequences: 1, tokens, prefillTokens: tokens },
    prefillTokenContext: tokens * contextTokens,
    prefillTokensSquared: tokens * tokens,
    ...{ decodeSequences: 0, decodeContextTokens: 0 },
  };
  const none = {
    ...{ ...load, tokens: 1, prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
    ...{ decodeSequences: 1, decodeContextTokens: contextTokens },
  };
  return cost.stepSeconds(load) - cost.stepSeconds(none);
}
