// Applies the rules: decides, refuses, and compares the decision with the request.
import type { Thresholds } from '../values/index.ts';
import type { PlanFacts } from './facts.ts';
import type { OffloadKind, StackKind } from './kinds.ts';
import { offloadChoiceOf, type Refusal, type Rule, rules, stackChoice } from './rules.ts';

export interface Decision {
  readonly stack: StackKind;
  readonly stackBecause: string;
  readonly kvOffload: OffloadKind;
  readonly kvOffloadBecause: string;
  /** Refused options, requested or not. */
  readonly refusals: readonly Refusal[];
  /** Hard rejects of the request. */
  readonly rejects: readonly Refusal[];
  /** Whether the plan is what was requested; if not, it is the closest layout that is accepted. */
  readonly stands: boolean;
}

/**
 * Decides by the rules alone. A simulation may afterwards leave out a tier that the rules choose (tools/plan).
 *
 * @example decide({ ...facts, engines: 1, wants: { kvOffload: 'lmcache' } }, defaultThresholds);
 *   // kvOffload 'native', stands false, refusals[0].rule 'fewer-than-two-engines'
 */
export function decide(facts: PlanFacts, thresholds: Thresholds): Decision {
  const { stack, because } = stackChoice(facts);
  // A single-engine plan has one engine, however many were requested.
  const planned = stack === 'single-engine' ? { ...facts, engines: 1 } : facts;
  const found = rules
    .filter((one) => one.applies(asked(one, facts, planned), thresholds))
    .map((one) => ({ kind: one.kind, refusal: refusalOf(one, facts, planned, thresholds) }));
  const refusals = found.filter(({ kind }) => kind === 'refusal').map(({ refusal }) => refusal);
  const rejects = found.filter(({ kind }) => kind === 'reject').map(({ refusal }) => refusal);
  const wanted = facts.wants.kvOffload;
  const choice = offloadChoiceOf(planned, thresholds);
  // Users may request less offload than the rules would choose.
  const declined = wanted === 'none' || (wanted === 'native' && choice.kvOffload === 'lmcache');
  return {
    stack,
    stackBecause: because,
    kvOffload: declined ? wanted : choice.kvOffload,
    kvOffloadBecause: declined
      ? `as requested; the rules would choose ${choice.kvOffload} (${choice.because(planned, thresholds)})`
      : choice.because(planned, thresholds),
    refusals,
    rejects,
    stands: [...refusals, ...rejects].every((refusal) => !refusal.wanted),
  };
}

/** The rule on the stack applies to the requested fleet, the others to the planned one. */
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
