// Compares the offload that the rules decide with the alternatives in simulation.
import type { Decision, OffloadKind } from '../../core/plan/index.ts';
import { milliseconds, number, roundChange, roundPercent } from '../report/index.ts';
import { range } from './figures.ts';
import type { Gain, Scenario } from './scenario.ts';

/** A layout that performs better than the decided one. */
export interface Advice {
  readonly kvOffload: OffloadKind;
  /** Gain of that layout over the plan. */
  readonly gain: Gain;
  /** Figures of both layouts and what would have to change, without a full stop. */
  readonly because: string;
}

export interface OffloadFigures {
  /** Gains of the tiers over no offload. */
  readonly gains: { readonly native: Gain; readonly lmcache: Gain };
  /** Gains of each layout over the planned one. */
  readonly overPlan: Readonly<Record<OffloadKind, Gain>>;
  readonly scenarios: Readonly<Record<OffloadKind, Scenario>>;
  /** Host memory for KV per engine of the planned layout, GiB; 0 without offload. */
  readonly offloadGiB: number;
  /** Working set over the KV cache in HBM. */
  readonly workingSet: number;
  /** Share of the working set that fits in the host memory of all engines. */
  readonly hostShareOfSet: number;
}

/** Smaller gains count as none. */
const gainMin = 0.01;
/** A TTFT that is shorter by this share counts as a gain on its own. */
const ttftGainMin = 0.1;
/** Least increase of the hit rate that counts as an effect of a tier. */
const hitGainMin = 0.05;

/**
 * Working sets, as shares of the KV cache in HBM, from which a tier pays, according to the sweep in
 * docs/guide/kv-offload.md. They are below 1, because running requests need space as well.
 */
export const breakEvenSets = { native: 0.54, lmcache: 0.56 } as const;

/** Describes how far an offload is from paying. */
export function breakEvenText(workingSet: number): string {
  return (
    `the working set is ${roundPercent(workingSet)} of HBM's KV cache, and offload begins to pay at about ` +
    `${roundPercent(breakEvenSets.native)} (native) and ${roundPercent(breakEvenSets.lmcache)} (LMCache)`
  );
}

/**
 * Returns the better layout; undefined if no alternative is clearly better. Of equally good layouts the one with
 * less memory wins.
 */
export function adviceOn(
  { kvOffload }: Pick<Decision, 'kvOffload'>,
  figures: OffloadFigures,
): Advice | undefined {
  const { gains, overPlan } = figures;
  const better = (kind: OffloadKind, because: string): Advice => ({
    ...{ kvOffload: kind, gain: overPlan[kind] },
    because: `${comparison(kind, kvOffload, figures)}; ${because}`,
  });
  if (kvOffload === 'none') {
    const best =
      gains.native.throughput.mean >= gains.lmcache.throughput.mean ? 'native' : 'lmcache';
    if (gains[best].throughput.low <= gainMin) return undefined;
    return better(
      best,
      `${breakEvenText(figures.workingSet)}; the rules would choose it with shared prefixes or preemptions reported`,
    );
  }
  const { throughput, ttft } = gains[kvOffload];
  if (throughput.mean <= gainMin && ttft.mean >= -ttftGainMin) {
    return better('none', whyNot(kvOffload, figures));
  }
  const other = kvOffload === 'native' ? 'lmcache' : 'native';
  const change = overPlan[other];
  const isBetter =
    (change.throughput.low > gainMin && change.ttft.mean < ttftGainMin) ||
    (change.ttft.high < -ttftGainMin && change.throughput.mean > -gainMin);
  // LMCache is not advised in place of native: the rules chose native because there is nothing to share.
  if (!isBetter || other === 'lmcache') return undefined;
  return better(other, 'what the engines share does not repay its lookups and copies');
}

/** Compares the figures of the better layout with those of the plan. */
function comparison(
  better: OffloadKind,
  planned: OffloadKind,
  { scenarios, overPlan, offloadGiB }: OffloadFigures,
): string {
  const [winner, plan] = [scenarios[better], scenarios[planned]];
  const memory =
    better === 'none' ? `, and ${number(offloadGiB)} GiB of host memory per engine stay free` : '';
  return (
    `${offloadNames[better]} gives ${number(winner.throughput.mean)} instead of ${number(plan.throughput.mean)} ` +
    `output tokens/s (${range(overPlan[better].throughput, roundChange)}) and a TTFT of ` +
    `${milliseconds(winner.ttftMs.mean)} instead of ${milliseconds(plan.ttftMs.mean)}${memory}`
  );
}

/** Display names of the offloads. */
export const offloadNames = {
  none: 'no offload',
  native: 'native CPU offload',
  lmcache: 'LMCache',
} as const;

function whyNot(
  kind: 'native' | 'lmcache',
  { scenarios, workingSet, hostShareOfSet }: OffloadFigures,
): string {
  if (workingSet < breakEvenSets[kind]) {
    return `${breakEvenText(workingSet)}: with more shared prefixes, longer prompts or fewer engines`;
  }
  const found = scenarios[kind].hitRate.mean;
  const without = scenarios.none.hitRate.mean;
  const set = `the working set is ${roundPercent(workingSet)} of HBM's KV cache`;
  const hits = `${roundPercent(found)} of prompt tokens are found, compared with ${roundPercent(without)} without it`;
  if (found - without >= hitGainMin) {
    return `${set}: ${hits}, but reading them saves no more than it costs; it would pay with longer shared prefixes or a larger model, whose tokens take longer to compute`;
  }
  return (
    `${set}: ${hits}, and the engines' host memory holds ${roundPercent(hostShareOfSet)} of the set; it would pay if more of it ` +
    'were reused before eviction: with fewer shared prefixes or, if host memory is small, more of it (operations.hostDramGiB)'
  );
}
