// The decider's rules as one table, to be read beside the skill that they come from.
import type { Thresholds } from '../values/index.ts';
import type { PlanFacts } from './facts.ts';
import type { OffloadKind, StackKind } from './input.ts';

export type RuleId =
  | 'no-kubernetes'
  | 'hand-rolled'
  | 'no-hbm-monitoring'
  | 'short-prompts-low-concurrency'
  | 'fewer-than-two-engines'
  | 'lmcache-without-reuse-or-preemption';

/** A way not to go. */
export interface Refusal {
  readonly rule: RuleId;
  /** The input that triggered it, with its value. */
  readonly because: string;
  /** The nearest thing that would be accepted. */
  readonly nearest: string;
  /** Whether it takes away what somebody wanted; then there is no plan as asked. */
  readonly wanted: boolean;
}

/** One line of the table. */
export interface Rule {
  readonly id: RuleId;
  /** A refusal takes an option away; a hard reject sends the whole wish back. */
  readonly kind: 'refusal' | 'reject';
  /** The sentence of the skill. */
  readonly says: string;
  readonly applies: (facts: PlanFacts, thresholds: Thresholds) => boolean;
  readonly because: (facts: PlanFacts, thresholds: Thresholds) => string;
  readonly nearest: (facts: PlanFacts, thresholds: Thresholds) => string;
  /** Whether somebody wanted what it takes away. A hard reject always meets a wish. */
  readonly wanted: (facts: PlanFacts) => boolean;
}

/**
 * In the order in which they are asked.
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
    because: () => 'operations.kubernetes is false: nobody would run the chart and its operators',
    nearest: () =>
      'one vLLM server behind a simple proxy (spillway router); with kubernetes: true the production stack',
    // Several engines are the stack under another name.
    wanted: ({ wants, engines }) =>
      wants.stack === 'production-stack' || (wants.stack === undefined && engines > 1),
  },
  {
    id: 'hand-rolled',
    kind: 'reject',
    says: 'Hand-rolling production-stack when the Helm chart covers the use case. Refuse: reinvent cost.',
    applies: ({ handRolled, kubernetes }) => handRolled && kubernetes,
    because: () =>
      'operations.handRolled is true, and everything asked for here is in the production-stack chart',
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
      `${count(concurrency)} requests at a time (below ${count(thresholds.offloadConcurrency)}): HBM has room`,
    nearest: () => 'kvOffload: none',
    wanted: wantsOffload,
  },
  {
    id: 'fewer-than-two-engines',
    kind: 'refusal',
    says: 'If the fleet has <2 engines, refuse LMCache: cross-engine reuse is the point; single-engine use native.',
    applies: ({ engines }, { lmcacheEngines }) => engines < lmcacheEngines,
    because: ({ engines }, { lmcacheEngines }) =>
      `${count(engines)} ${engines === 1 ? 'engine' : 'engines'} (LMCache needs ${lmcacheEngines}): there is no other to share with`,
    nearest: (_facts, { lmcacheEngines }) => `kvOffload: native, or ${lmcacheEngines} engines`,
    wanted: wantsLmcache,
  },
  {
    id: 'lmcache-without-reuse-or-preemption',
    kind: 'reject',
    says: 'Deploying LMCache without shared prefixes or preemption. Refuse: overhead, no benefit.',
    applies: (facts, thresholds) =>
      wantsLmcache(facts) && !sharesPrefixes(facts) && !preempts(facts, thresholds),
    because: ({ prefixReuse, preemptionsPerMinute }) =>
      `prefixReuse is ${prefixReuse} and there are ${count(preemptionsPerMinute)} preemptions a minute: ` +
      'LMCache would cost its overhead and give nothing back',
    nearest: (facts, thresholds) =>
      hasPressure(facts, thresholds) ? 'kvOffload: native' : 'kvOffload: none',
    wanted: () => true,
  },
];

/** A choice that the facts leave; the first that applies is taken. */
export interface Choice {
  readonly kvOffload: OffloadKind;
  readonly applies: (facts: PlanFacts, thresholds: Thresholds) => boolean;
  readonly because: (facts: PlanFacts, thresholds: Thresholds) => string;
}

/** What remains once the refusals have spoken, in the order of the skill. */
export const offloadChoices: readonly Choice[] = [
  {
    kvOffload: 'none',
    applies: (facts, thresholds) =>
      rule('short-prompts-low-concurrency').applies(facts, thresholds),
    because: () => 'short prompts and a low concurrency leave HBM room; offload costs 3 to 5 %',
  },
  {
    kvOffload: 'none',
    applies: (facts, thresholds) =>
      reasons(facts, thresholds).length === 0 && !hasPressure(facts, thresholds),
    because: ({ kvDemand }) =>
      `no prefix is shared, nothing is preempted, and the peak needs ${percent(kvDemand)} of HBM's KV cache; offload costs 3 to 5 %`,
  },
  {
    kvOffload: 'native',
    applies: ({ engines }, { lmcacheEngines }) => engines < lmcacheEngines,
    because: (facts, thresholds) =>
      `a single engine (${[...reasons(facts, thresholds), ...pressure(facts, thresholds)].join(', ')}): its own host memory is the nearest place`,
  },
  {
    kvOffload: 'lmcache',
    applies: (facts, thresholds) => reasons(facts, thresholds).length > 0,
    because: (facts, thresholds) =>
      `${count(facts.engines)} engines can share: ${reasons(facts, thresholds).join(', ')}`,
  },
  {
    kvOffload: 'native',
    applies: () => true,
    because: ({ kvDemand }) =>
      `the peak needs ${percent(kvDemand)} of HBM's KV cache, and no prefix is shared between engines`,
  },
];

/** The stack: Kubernetes decides, unless one engine was asked for. */
export function stackChoice({ kubernetes, wants }: PlanFacts): {
  readonly stack: StackKind;
  readonly because: string;
} {
  if (!kubernetes) {
    return {
      stack: 'single-engine',
      because: 'without Kubernetes: one vLLM behind a simple proxy',
    };
  }
  if (wants.stack === 'single-engine') {
    return { stack: 'single-engine', because: 'as wanted: one vLLM behind a simple proxy' };
  }
  return { stack: 'production-stack', because: 'the chart covers it: engines, router, monitoring' };
}

export function rule(id: RuleId): Rule {
  return rules.find((one) => one.id === id) as Rule;
}

/** Whether prompts begin alike: named so, or with a length. */
export function sharesPrefixes({ prefixReuse, sharedPrefixTokens }: PlanFacts): boolean {
  return prefixReuse !== 'none' || sharedPrefixTokens > 0;
}

export function preempts({ preemptionsPerMinute }: PlanFacts, thresholds: Thresholds): boolean {
  return preemptionsPerMinute > thresholds.preemptionsPerMinute;
}

/** Whether HBM is short: it preempts, or the peak needs more than the alert's share of it. */
export function hasPressure(facts: PlanFacts, thresholds: Thresholds): boolean {
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
 * Why KV would be used again by another engine. Tenants and adapters share only what prompts
 * share, so they count beside a shared prefix, not instead of one.
 */
function reasons(facts: PlanFacts, thresholds: Thresholds): readonly string[] {
  const found: string[] = [];
  if (sharesPrefixes(facts)) {
    found.push(`prefix reuse (${facts.prefixReuse})`);
    if (facts.multiTenant) found.push('multi-tenant');
    if (facts.loraAdapters > 0) found.push(`${count(facts.loraAdapters)} LoRA adapters`);
  }
  if (preempts(facts, thresholds)) {
    found.push(`${count(facts.preemptionsPerMinute)} preemptions a minute`);
  }
  return found;
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
