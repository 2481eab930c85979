// Applies the rules: what is decided, what is refused, and whether that is what was wanted.
import type { Thresholds } from '../values/index.ts';
import type { PlanFacts } from './facts.ts';
import type { OffloadKind, StackKind } from './input.ts';
import { offloadChoices, type Refusal, type Rule, rules, stackChoice } from './rules.ts';

export interface Decision {
  readonly stack: StackKind;
  readonly stackBecause: string;
  readonly kvOffload: OffloadKind;
  readonly kvOffloadBecause: string;
  /** Options taken away, wanted or not. */
  readonly refusals: readonly Refusal[];
  /** Wishes sent back. */
  readonly rejects: readonly Refusal[];
  /** Whether the plan is what was wanted; if not, it is the nearest thing that is accepted. */
  readonly stands: boolean;
}

/**
 * Decides by the rules alone; what a simulation makes of it is told beside it, never instead.
 *
 * @example decide({ ...facts, engines: 1, wants: { kvOffload: 'lmcache' } }, defaultThresholds);
 *   // kvOffload 'native', stands false, refusals[0].rule 'fewer-than-two-engines'
 */
export function decide(facts: PlanFacts, thresholds: Thresholds): Decision {
  const { stack, because } = stackChoice(facts);
  // A single-engine plan is one engine, however many were asked for.
  const planned = stack === 'single-engine' ? { ...facts, engines: 1 } : facts;
  const found = rules
    .filter((one) => one.applies(asked(one, facts, planned), thresholds))
    .map((one) => ({ kind: one.kind, refusal: refusalOf(one, facts, planned, thresholds) }));
  const refusals = found.filter(({ kind }) => kind === 'refusal').map(({ refusal }) => refusal);
  const rejects = found.filter(({ kind }) => kind === 'reject').map(({ refusal }) => refusal);
  const wanted = facts.wants.kvOffload;
  const choice = offloadChoices.find(({ applies }) => applies(planned, thresholds));
  if (choice === undefined) throw new Error('The last choice always applies');
  // Less offload than the rules would choose is nobody's risk but the wisher's.
  const declined = wanted === 'none' || (wanted === 'native' && choice.kvOffload === 'lmcache');
  return {
    stack,
    stackBecause: because,
    kvOffload: declined ? wanted : choice.kvOffload,
    kvOffloadBecause: declined
      ? `as wanted; the rules would choose ${choice.kvOffload} (${choice.because(planned, thresholds)})`
      : choice.because(planned, thresholds),
    refusals,
    rejects,
    stands: [...refusals, ...rejects].every((refusal) => !refusal.wanted),
  };
}

/** The stack's own rule is about the fleet asked for, the others about the one planned. */
function asked(one: Rule, facts: PlanFacts, planned: PlanFacts): PlanFacts {
  return one.id === 'no-kubernetes' ? facts : planned;
}

function refusalOf(
  one: Rule,
  facts: PlanFacts,
  planned: PlanFacts,
  thresholds: Thresholds,
): Refusal {
  const about = asked(one, facts, planned);
  return {
    rule: one.id,
    because: one.because(about, thresholds),
    nearest: one.nearest(about, thresholds),
    wanted: one.wanted(about),
  };
}
