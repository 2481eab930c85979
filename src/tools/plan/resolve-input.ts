// Resolves the input of a plan: fills open values with assumptions and records them.
import { withoutUndefined } from '../../core/base/index.ts';
import type { PlanInput, PlanRouting, PrefixReuse, StackNeed } from '../../core/plan/index.ts';
import type { Assumptions } from './assumptions.ts';
import { type KnownLengths, lengthsOf, type PlanLengths } from './lengths.ts';
import type { MeasuredTrace } from './measure-trace.ts';

export interface PlanWorkload {
  readonly promptTokens: PlanLengths;
  readonly outputTokens: PlanLengths;
  /** Requests in flight at the peak; undefined: determined by the rate. */
  readonly concurrency: number | undefined;
  /** Rate at the peak; undefined: determined by the clients. */
  readonly requestsPerSecond: number | undefined;
  readonly prefixReuse: PrefixReuse;
  readonly sharedPrefixTokens: number;
  /** Prefixes that are cached separately: an adapter shares none with another one. */
  readonly prefixGroups: number;
  readonly loraAdapters: number;
  readonly preemptionsPerMinute: number;
}

/** Resolved operations: team, budget and routing. */
export interface PlanOperations {
  readonly kubernetes: boolean;
  readonly multiTenant: boolean;
  readonly tenants: number;
  readonly hbmMonitoring: boolean;
  readonly handRolled: boolean;
  readonly needs: readonly StackNeed[];
  readonly hostDramGiB: number;
  readonly budgetPerHour: number | undefined;
  readonly gpuPricePerHour: number | undefined;
  /** Undefined if the plan chooses. */
  readonly routing: PlanRouting | undefined;
}

/** Assumptions without any input: a chat service of medium size. */
const assumed = { promptTokens: 2000, outputTokens: 300, concurrency: 64 };
/** Shared share of the prompt and number of groups, by kind of reuse. */
const assumedReuse: Readonly<Record<PrefixReuse, { share: number; groups: number }>> = {
  none: { share: 0, groups: 1 },
  'system-prompt': { share: 0.25, groups: 1 },
  rag: { share: 0.6, groups: 40 },
  'multi-turn': { share: 0.7, groups: 200 },
  agents: { share: 0.8, groups: 100 },
};
/** Typical spare host memory of GPU servers, in GiB per engine. */
const assumedHostDramGiB = 128;

/** Resolves the workload; a measured trace fills open values. */
export function resolveWorkload(
  input: PlanInput,
  measured: MeasuredTrace | undefined,
  assumptions: Assumptions,
): PlanWorkload {
  const workload = withoutGroups(input.workload, assumptions);
  const found = measured ? openParts(measured, input) : {};
  noteMeasured(found, measured?.requests ?? 0, assumptions);
  const given = { ...found, ...withoutUndefined(workload) };
  const prompts = found.promptTokens ?? knownLengths(workload.promptTokens);
  const outputs = found.outputTokens ?? knownLengths(workload.outputTokens);
  const promptTokens = lengthsOf(
    prompts ??
      single(
        assumptions,
        'workload.promptTokens',
        assumed.promptTokens,
        'a chat prompt with some context',
      ),
  );
  const outputTokens = lengthsOf(
    outputs ??
      single(
        assumptions,
        'workload.outputTokens',
        assumed.outputTokens,
        'a response of a few paragraphs',
      ),
  );
  if (prompts !== undefined && Object.values(prompts).filter(Boolean).length === 1) {
    assumptions.note(
      'workload.promptTokens.max',
      String(promptTokens.max),
      'twice the given length; --max-model-len must fit the longest prompt',
    );
  }
  const prefixReuse = given.prefixReuse ?? reuseFrom(given, input, assumptions);
  const { share, groups } = assumedReuse[prefixReuse];
  // prefixReuse none takes precedence over a shared length.
  const saysNone = workload.prefixReuse === 'none';
  if (saysNone && (given.sharedPrefixTokens ?? 0) > 0) {
    assumptions.note('workload.sharedPrefixTokens', '0', 'prefixReuse is none');
  }
  const wantedShared =
    prefixReuse === 'none'
      ? saysNone
        ? 0
        : (given.sharedPrefixTokens ?? 0)
      : assumptions.fill(
          'workload.sharedPrefixTokens',
          given.sharedPrefixTokens,
          Math.round(share * promptTokens.mean),
          `${Math.round(share * 100)} % of the prompt, for ${prefixReuse}`,
        );
  const sharedPrefixTokens = Math.max(0, Math.round(Math.min(promptTokens.mean - 1, wantedShared)));
  if (wantedShared > promptTokens.mean) {
    assumptions.note(
      'workload.sharedPrefixTokens',
      String(sharedPrefixTokens),
      `${wantedShared} is more than the mean prompt length`,
    );
  }
  const prefixGroups =
    prefixReuse === 'none' && given.prefixGroups === undefined
      ? 1
      : assumptions.fill(
          'workload.prefixGroups',
          given.prefixGroups,
          groups,
          `usual for ${prefixReuse}`,
        );
  const { loraAdapters = 0 } = input.fleet;
  const sharers = sharedPrefixTokens > 0 ? loraAdapters : 0;
  if (sharers > prefixGroups) {
    assumptions.note(
      'workload.prefixGroups',
      String(sharers),
      'one per adapter: vLLM shares no KV cache between adapters, even for the same text',
    );
  }
  const requestsPerSecond = given.peakRequestsPerSecond ?? given.requestsPerSecond;
  const open = given.concurrency === undefined && requestsPerSecond === undefined;
  return {
    ...{ promptTokens, outputTokens, prefixReuse, requestsPerSecond },
    sharedPrefixTokens,
    concurrency: open
      ? assumptions.fill(
          'workload.concurrency',
          undefined,
          assumed.concurrency,
          'neither concurrency nor requestsPerSecond is given',
        )
      : given.concurrency,
    prefixGroups: Math.max(prefixGroups, sharers),
    loraAdapters,
    preemptionsPerMinute: assumptions.fill(
      'workload.preemptionsPerMinute',
      given.preemptionsPerMinute,
      0,
      'none were reported',
    ),
  };
}

/** Returns the measurements of a trace for open values; a given rate replaces the trace's peak, too. */
function openParts(measured: MeasuredTrace, { workload }: PlanInput): Partial<MeasuredTrace> {
  const isRated = [workload.requestsPerSecond, workload.peakRequestsPerSecond].some(
    Number.isFinite,
  );
  const { requests, requestsPerSecond, peakRequestsPerSecond, ...rest } = measured;
  const found = { ...rest, ...(isRated ? {} : { requestsPerSecond, peakRequestsPerSecond }) };
  const isOpen = (key: string) =>
    key.endsWith('Tokens') && key !== 'sharedPrefixTokens'
      ? knownLengths(workload[key as 'promptTokens']) === undefined
      : workload[key as keyof typeof workload] === undefined;
  return Object.fromEntries(Object.entries(found).filter(([key]) => isOpen(key)));
}

/** Records measured values next to assumptions, like those from Prometheus. */
function noteMeasured(parts: Partial<MeasuredTrace>, requests: number, assumptions: Assumptions) {
  for (const [key, value] of Object.entries(parts)) {
    if (value === undefined) continue;
    const text =
      typeof value === 'object'
        ? `mean ${Math.round(value.mean)}, p50 ${value.p50}, p95 ${value.p95}, max ${value.max}`
        : String(typeof value === 'number' ? Number(value.toPrecision(3)) : value);
    assumptions.note(`workload.${key}`, text, `measured over ${requests} requests of the trace`);
  }
}

/** Resolves the operations of the input. */
export function resolveOperations(
  { operations }: PlanInput,
  assumptions: Assumptions,
): PlanOperations {
  const { budgetPerHour, gpuPricePerHour, routing, tenants = 1 } = operations;
  const fill = <T>(key: keyof PlanInput['operations'], value: T, because: string): T =>
    assumptions.fill(`operations.${key}`, operations[key] as T | undefined, value, because);
  return {
    kubernetes: fill('kubernetes', true, 'the input does not say that Kubernetes is missing'),
    multiTenant: isMultiTenant(operations),
    tenants,
    hbmMonitoring: fill('hbmMonitoring', true, 'this plan provides the alert and the gate'),
    handRolled: operations.handRolled ?? false,
    needs: operations.needs ?? [],
    hostDramGiB: fill(
      'hostDramGiB',
      assumedHostDramGiB,
      'typical spare memory of a GPU server per engine',
    ),
    ...{ budgetPerHour, gpuPricePerHour, routing },
  };
}

/** Infers the kind of reuse from the rest of the input. */
function reuseFrom(
  { sharedPrefixTokens = 0 }: { readonly sharedPrefixTokens?: number | undefined },
  { operations, fleet }: PlanInput,
  assumptions: Assumptions,
): PrefixReuse {
  const signs = [
    { sign: sharedPrefixTokens > 0, because: 'sharedPrefixTokens is given' },
    { sign: isMultiTenant(operations), because: 'tenants share a system prompt' },
    { sign: (fleet.loraAdapters ?? 0) > 0, because: 'each adapter has its own task and prompt' },
  ];
  const found = signs.find(({ sign }) => sign);
  const reuse = found ? 'system-prompt' : 'none';
  const because = found?.because ?? 'the input does not say that prompts share a prefix';
  assumptions.note('workload.prefixReuse', reuse, because);
  return reuse;
}

function isMultiTenant({ multiTenant, tenants = 1 }: PlanInput['operations']): boolean {
  return multiTenant ?? tenants > 1;
}

function single(
  assumptions: Assumptions,
  key: string,
  value: number,
  because: string,
): KnownLengths {
  assumptions.note(key, String(value), because);
  return { mean: value };
}

function knownLengths(given: PlanInput['workload']['promptTokens']): KnownLengths | undefined {
  if (typeof given === 'number') return { mean: given };
  return given !== undefined && !('trace' in given) && Object.keys(given).length > 0
    ? given
    : undefined;
}

/** No groups of prompts with a shared prefix: nothing is shared. */
function withoutGroups(workload: PlanInput['workload'], assumptions: Assumptions) {
  if (workload.prefixGroups !== 0) return workload;
  if ((workload.prefixReuse ?? 'none') !== 'none') {
    assumptions.note('workload.prefixReuse', 'none', 'prefixGroups is 0');
  }
  return { ...workload, prefixReuse: 'none' as const, prefixGroups: undefined };
}
