// Where the prompt tokens of the fleet come from, per second.
import type { EngineView } from '../../src/core/views/index.ts';

export interface TierFlow {
  /** Tokens per second. */
  readonly prompt: number;
  readonly hbm: number;
  readonly lowerTiers: number;
  readonly computed: number;
}

/** Undefined before an engine has rates. */
export function tierFlowOf(engines: readonly EngineView[]): TierFlow | undefined {
  const rates = engines.flatMap(({ state, rates }) => (state === 'dead' ? [] : (rates ?? [])));
  if (rates.length === 0) return undefined;
  const sum = (value: (rate: (typeof rates)[number]) => number): number =>
    rates.reduce((total, rate) => total + value(rate), 0);
  const prompt = sum(({ promptTokensPerSecond }) => promptTokensPerSecond);
  const hbm = sum(({ hbmHitTokensPerSecond }) => hbmHitTokensPerSecond);
  const lowerTiers = sum(({ lowerTierTokensPerSecond }) => lowerTierTokensPerSecond);
  // Hits count when a request is admitted, its prompt when it is computed: a moment can have more hits than tokens.
  return { prompt, hbm, lowerTiers, computed: Math.max(0, prompt - hbm - lowerTiers) };
}
