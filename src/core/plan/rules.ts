// The decider's rules as one table, in the order of the skill that they come from.
import { counted } from '../base/index.ts';
import type { Thresholds } from '../values/index.ts';
import { chartCovers, chartLacks, chartLacksText } from './chart-coverage.ts';
import type { PlanFacts } from './facts.ts';
import type { OffloadKind, StackKind } from './kinds.ts';
import { breakEvenSet, measuredOffload } from './measured-offload.ts';

export type RuleId =
  | 'no-kubernetes'
  | 'hand-rolled'
  | 'no-hbm-monitoring'
  | 'short-prompts-low-concurrency'
  | 'fewer-than-two-engines'
  | 'lmcache-without-reuse-or-preemption';

/** A refused option. */
export interface Refusal {
  readonly rule: RuleId;
  /** The input that triggered it, with its value. */
  readonly because: string;
  /** The closest layout that would be accepted. */
  readonly nearest: string;
  /** Whether the input requested what is refused; the plan then does not stand. */
  readonly wanted: boolean;
}

/** A row of the table. */
export interface Rule {
  readonly id: RuleId;
  /** A refusal removes an option; a hard reject rejects the whole request. */
  readonly kind: 'refusal' | 'reject';
  /** The rule in the words of the skill. */
  readonly says: string;
  readonly applies: (facts: PlanFacts, thresholds: Thresholds) => boolean;
  readonly because: (facts: PlanFacts, thresholds: Thresholds) => string;
  readonly nearest: (facts: PlanFacts, thresholds: Thresholds) => string;
  /** Whether the input requests what the rule removes; always true for a hard reject. */
  readonly wanted: (facts: PlanFacts) => boolean;
}

/**
 * The rules, in the order in which they apply.
 *
 * @see https://github.com/rohitg00/ai-engineering-from-scratch, phase 17, lesson 18,
 *   outputs/skill-vllm-stack-decider.md
 */
export const rules: readonly Rule[] = [
  {
    id: 'no-kubernetes',
    kind: 'refusal',
    says: "If the team doesn't have K8s capability, refuse production-stack: start with a single-engine vLLM + simple proxy.",
    applies: ({ kubernetes }) => !kubernetes,
    because: () => 'operations.kubernetes is false, so the chart and its operators cannot run',
    nearest: () =>
      'one vLLM server behind a simple proxy (spillway router), or kubernetes: true and the production stack',
    // A request for several engines implies the stack.
    wanted: ({ wants, engines }) =>
      wants.stack === 'production-stack' ||
      wants.stack === 'own-stack' ||
      (wants.stack === undefined && engines > 1),
  },
  {
    id: 'hand-rolled',
    kind: 'reject',
    says: 'Hand-rolling production-stack when the Helm chart covers the use case. Refuse: reinvent cost.',
    applies: (facts) => wantsOwnStack(facts) && facts.kubernetes && chartLacks(facts).length === 0,
    because: (facts) =>
      `${facts.handRolled ? 'operations.handRolled is true' : 'wants.stack is own-stack'}, and the production-stack chart has everything asked for: ${chartCovers(facts).join(', ')}`,
    nearest: () => 'the production-stack Helm chart with the values file of this plan',
    wanted: () => true,
  },
  {
    id: 'no-hbm-monitoring',
    kind: 'reject',
    says: 'Running vLLM without HBM-pressure monitoring. Refuse: first preemption will be a surprise.',
    applies: ({ hbmMonitoring }) => !hbmMonitoring,
    because: () => 'operations.hbmMonitoring is false: the first preemption would be a surprise',
    nearest: (_facts, { hbmUtilization }) =>
      `hbmMonitoring: true with the alert at ${percent(hbmUtilization)} that this plan writes (--rules)`,
    wanted: () => true,
  },
  {
    id: 'short-prompts-low-concurrency',
    kind: 'refusal',
    says: 'If the workload has prompts < 1K tokens and < 100 concurrency, refuse offload of any kind: HBM headroom suffices.',
    applies: ({ promptTokens, concurrency }, thresholds) =>
      promptTokens < thresholds.offloadPromptTokens && concurrency < thresholds.offloadConcurrency,
    because: ({ promptTokens, concurrency }, thresholds) =>
      `prompts of ${count(promptTokens)} tokens (below ${count(thresholds.offloadPromptTokens)}) and ` +
      `${count(concurrency)} requests at a time (below ${count(thresholds.offloadConcurrency)}): HBM has enough space`,
    nearest: () => 'kvOffload: none',
    wanted: wantsOffload,
  },
  {
    id: 'fewer-than-two-engines',
    kind: 'refusal',
    says: 'If the fleet has <2 engines, refuse LMCache: cross-engine reuse is the point; single-engine use native.',
    applies: ({ engines }, { lmcacheEngines }) => engines < lmcacheEngines,
    because: ({ engines }, { lmcacheEngines }) =>
      `${counted(engines, 'engine')} (LMCache needs ${lmcacheEngines}): there is no other engine to share with`,
    nearest: (facts, thresholds) =>
      `kvOffload: ${offloadChoiceOf(facts, thresholds).kvOffload}, or ${thresholds.lmcacheEngines} engines`,
    wanted: wantsLmcache,
  },
  {
    id: 'lmcache-without-reuse-or-preemption',
    kind: 'reject',
    says: 'Deploying LMCache without shared prefixes or preemption. Refuse: overhead, no benefit.',
    applies: (facts, thresholds) =>
      wantsLmcache(facts) && !sharesPrefixes(facts) && !preempts(facts, thresholds),
    because: ({ prefixReuse, preemptionsPerMinute }) =>
      `prefixReuse is ${prefixReuse} and there are ${count(preemptionsPerMinute)} preemptions per minute: ` +
      'LMCache would add overhead without any benefit',
    nearest: (facts, thresholds) =>
      hasPressure(facts, thresholds) ? 'kvOffload: native' : 'kvOffload: none',
    wanted: () => true,
  },
];

/** An offload and its condition; the first choice that applies is taken. */
export interface Choice {
  readonly kvOffload: OffloadKind;
  /** The condition in words. */
  readonly says: string;
  readonly applies: (facts: PlanFacts, thresholds: Thresholds) => boolean;
  readonly because: (facts: PlanFacts, thresholds: Thresholds) => string;
}

/** The choices that remain after the refusals, in the order of the skill. */
export const offloadChoices: readonly Choice[] = [
  {
    kvOffload: 'none',
    says: 'Short prompts at low concurrency (the refusal above): HBM has enough space, and offload costs 3 to 5 %.',
    applies: (facts, thresholds) =>
      rule('short-prompts-low-concurrency').applies(facts, thresholds),
    because: () => 'short prompts at low concurrency leave space in HBM; offload costs 3 to 5 %',
  },
  {
    kvOffload: 'none',
    says: "No prefix is shared, no request is preempted, and the peak needs less of HBM's KV cache than the alert's threshold.",
    applies: (facts, thresholds) =>
      reasons(facts, thresholds).length === 0 && !hasPressure(facts, thresholds),
    because: ({ kvDemand }) =>
      `no prefix is shared, no request is preempted, and the peak needs ${percent(kvDemand)} of HBM's KV cache; offload costs 3 to 5 %`,
  },
  {
    kvOffload: 'none',
    says: `Prefixes are shared, but the working set is below ${percent(breakEvenSet)} of HBM's KV cache, nothing is preempted, and the peak needs less than the alert's threshold: low pressure.`,
    applies: (facts, thresholds) =>
      facts.workingSet < breakEvenSet && !hasPressure(facts, thresholds),
    because: (facts, thresholds) =>
      `the working set is ${percent(facts.workingSet)} of HBM's KV cache, where it stays, so a tier finds nothing that HBM has lost ` +
      `(${reasons(facts, thresholds).join(', ')}); offload begins to pay at about ${percent(breakEvenSet)}, and ${fittingText()}`,
  },
  {
    kvOffload: 'native',
    says: "Fewer engines than LMCache needs: an engine's own host memory is the closest tier.",
    applies: ({ engines }, { lmcacheEngines }) => engines < lmcacheEngines,
    because: (facts, thresholds) =>
      `a single engine (${[...reasons(facts, thresholds), ...pressure(facts, thresholds)].join(', ')}): its own host memory is the closest tier`,
  },
  {
    kvOffload: 'lmcache',
    says: 'Several engines that share prefixes (RAG, multi-turn, agents, tenants and LoRA adapters with shared prompts) or preempt requests.',
    applies: (facts, thresholds) => reasons(facts, thresholds).length > 0,
    because: (facts, thresholds) =>
      `${count(facts.engines)} engines can share: ${reasons(facts, thresholds).join(', ')}`,
  },
  {
    kvOffload: 'native',
    says: 'Several engines under HBM pressure that share no prefix.',
    applies: () => true,
    because: ({ kvDemand }) =>
      `the peak needs ${percent(kvDemand)} of HBM's KV cache, and no prefix is shared between engines`,
  },
];

/** Returns the first choice that applies. */
export function offloadChoiceOf(facts: PlanFacts, thresholds: Thresholds): Choice {
  const choice = offloadChoices.find(({ applies }) => applies(facts, thresholds));
  if (choice === undefined) throw new Error('The last choice always applies');
  return choice;
}

/** Chooses the stack: by Kubernetes, unless one engine was requested or the chart lacks a requested feature. */
export function stackChoice(facts: PlanFacts): {
  readonly stack: StackKind;
  readonly because: string;
} {
  const { kubernetes, wants } = facts;
  if (!kubernetes) {
    return {
      stack: 'single-engine',
      because: 'without Kubernetes: one vLLM behind a simple proxy',
    };
  }
  if (wants.stack === 'single-engine') {
    return { stack: 'single-engine', because: 'as requested: one vLLM behind a simple proxy' };
  }
  const lacking = chartLacks(facts);
  if (wantsOwnStack(facts) && wants.stack !== 'production-stack' && lacking.length > 0) {
    return {
      stack: 'own-stack',
      because: `the team builds it, and ${chartLacksText(facts)}`,
    };
  }
  return { stack: 'production-stack', because: `the chart has ${chartCovers(facts).join(', ')}` };
}

function wantsOwnStack({ handRolled, wants }: PlanFacts): boolean {
  return handRolled || wants.stack === 'own-stack';
}

function rule(id: RuleId): Rule {
  return rules.find((one) => one.id === id) as Rule;
}

/** Whether prompts share a prefix, by kind or by length. */
function sharesPrefixes({ prefixReuse, sharedPrefixTokens }: PlanFacts): boolean {
  return prefixReuse !== 'none' || sharedPrefixTokens > 0;
}

function preempts({ preemptionsPerMinute }: PlanFacts, thresholds: Thresholds): boolean {
  return preemptionsPerMinute > thresholds.preemptionsPerMinute;
}

/** Whether HBM is under pressure: requests are preempted, or the peak needs more of it than the alert allows. */
function hasPressure(facts: PlanFacts, thresholds: Thresholds): boolean {
  return pressure(facts, thresholds).length > 0;
}

function pressure(facts: PlanFacts, thresholds: Thresholds): readonly string[] {
  const found: string[] = [];
  if (preempts(facts, thresholds)) found.push('preemption');
  if (facts.kvDemand >= thresholds.hbmUtilization) {
    found.push(`the peak needs ${percent(facts.kvDemand)} of HBM's KV cache`);
  }
  return found;
}

/**
 * Returns the reasons why another engine would reuse KV cache. Tenants and adapters share only what their prompts
 * share, so they count in addition to a shared prefix, not instead of one.
 */
function reasons(facts: PlanFacts, thresholds: Thresholds): readonly string[] {
  const found: string[] = [];
  if (sharesPrefixes(facts)) {
    found.push(`prefix reuse (${facts.prefixReuse})`);
    if (facts.multiTenant) found.push('multi-tenant');
    if (facts.loraAdapters > 0) found.push(`${count(facts.loraAdapters)} LoRA adapters`);
  }
  if (preempts(facts, thresholds)) {
    found.push(`${count(facts.preemptionsPerMinute)} preemptions per minute`);
  }
  return found;
}

/** What was measured where the working set fits in HBM. */
function fittingText(): string {
  const [fitting] = measuredOffload;
  if (fitting?.lmcache === undefined) throw new Error('The first measurement has both tiers');
  const { workingSet, native, lmcache } = fitting;
  const loss = (gain: number) => `${(-gain * 100).toFixed(1)} %`;
  return `measured at ${percent(workingSet)} it costs ${loss(native)} (native) or ${loss(lmcache)} (LMCache)`;
}

function wantsOffload({ wants }: PlanFacts): boolean {
  return wants.kvOffload === 'native' || wants.kvOffload === 'lmcache';
}

function wantsLmcache({ wants }: PlanFacts): boolean {
  return wants.kvOffload === 'lmcache';
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function count(value: number): string {
  return (Math.round(value * 10) / 10).toLocaleString('en-US');
}
