// Redundant prefill: tokens whose KV engines had computed before and computed again.
import { count, percent } from '../report/index.ts';

/** What one engine computed. */
export interface PrefillCounts {
  /** Prompt tokens that were not found in a cache at the first admission of their requests. */
  readonly computedTokens: number;
  readonly recomputedAfterPreemption: number;
  /** Undefined if not counted. */
  readonly recomputedAfterEviction: number | undefined;
}

/** Returns the sums over the engines, and their share of all tokens that were computed in prefill. */
function redundantPrefill(engines: readonly PrefillCounts[]) {
  let [afterPreemption, afterEviction, computed] = [0, 0, 0];
  for (const engine of engines) {
    afterPreemption += engine.recomputedAfterPreemption;
    afterEviction += engine.recomputedAfterEviction ?? 0;
    computed += engine.computedTokens + engine.recomputedAfterPreemption;
  }
  const share = computed === 0 ? 0 : (afterPreemption + afterEviction) / computed;
  return { afterPreemption, afterEviction, share };
}

/** Empty if nothing was computed twice. */
export function redundantPrefillLines(engines: readonly PrefillCounts[]): string[] {
  const { afterPreemption, afterEviction, share } = redundantPrefill(engines);
  if (share === 0) return [];
  return [
    `Redundant prefill: ${count(afterEviction + afterPreemption)} tokens were computed again (${count(afterEviction)} after evictions, ${count(afterPreemption)} after preemptions), ${percent(share)} of those computed.`,
  ];
}

/** The value of `spillway.recomputed_tokens` in the JSON of every simulation. */
export function redundantPrefillJson(engines: readonly PrefillCounts[]): Record<string, number> {
  const { afterPreemption, afterEviction, share } = redundantPrefill(engines);
  return { after_preemption: afterPreemption, after_eviction: afterEviction, share };
}
