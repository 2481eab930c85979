// From the file that somebody wrote to a question without gaps: what is open is assumed, and noted.
import type { PlanInput, PlanRouting, PrefixReuse } from '../../core/plan/index.ts';
import type { Assumptions } from './assumptions.ts';
import { type KnownLengths, lengthsOf, type PlanLengths } from './lengths.ts';
import type { MeasuredTrace } from './measure-trace.ts';

export interface PlanWorkload {
  readonly promptTokens: PlanLengths;
  readonly outputTokens: PlanLengths;
  /** Requests in flight at the peak; undefined: as the rate brings. */
  readonly concurrency: number | undefined;
  /** At the peak; undefined: as fast as the clients come round. */
  readonly requestsPerSecond: number | undefined;
  readonly prefixReuse: PrefixReuse;
  readonly sharedPrefixTokens: number;
  readonly prefixGroups: number;
  readonly preemptionsPerMinute: number;
}

/** Team and money. */
export interface PlanOperations {
  readonly kubernetes: boolean;
  readonly multiTenant: boolean;
  readonly tenants: number;
  readonly hbmMonitoring: boolean;
  readonly handRolled: boolean;
  readonly hostDramGiB: number;
  readonly budgetPerHour: number | undefined;
  readonly gpuPricePerHour: number | undefined;
  /** Undefined: the plan chooses. */
  readonly routing: PlanRouting | undefined;
}

/** Questions of a user who gives nothing: a chat service of medium size. */
const assumed = { promptTokens: 2000, outputTokens: 300, concurrency: 64 };
/** Per kind of reuse: share of the prompt that is shared, and in how many groups. */
const assumedReuse: Readonly<Record<PrefixReuse, { share: number; groups: number }>> = {
  none: { share: 0, groups: 1 },
  'system-prompt': { share: 0.25, groups: 1 },
  rag: { share: 0.6, groups: 40 },
  'multi-turn': { share: 0.7, groups: 200 },
  agents: { share: 0.8, groups: 100 },
};
/** Host memory that servers with such GPUs have to spare, GiB an engine. */
const assumedHostDramGiB = 128;

/** Fills the workload; a measured trace fills what the file does not say. */
export function resolveWorkload(
  input: PlanInput,
  measured: MeasuredTrace | undefined,
  assumptions: Assumptions,
): PlanWorkload {
  const { workload } = input;
  const found = measured ? openParts(measured, input) : {};
  noteMeasured(found, measured?.requests ?? 0, assumptions);
  const given = { ...found, ...defined(workload) };
  const prompts = found.promptTokens ?? knownLengths(workload.promptTokens);
  const outputs = found.outputTokens ?? knownLengths(workload.outputTokens);
  const promptTokens = lengthsOf(
    prompts ??
      single(
        assumptions,
        'workload.promptTokens',
        assumed.promptTokens,
        'a prompt of a chat with some context',
      ),
  );
  const outputTokens = lengthsOf(
    outputs ??
      single(
        assumptions,
        'workload.outputTokens',
        assumed.outputTokens,
        'an answer of a few paragraphs',
      ),
  );
  if (prompts !== undefined && Object.values(prompts).filter(Boolean).length === 1) {
    assumptions.note(
      'workload.promptTokens.max',
      String(promptTokens.max),
      'twice the one length given; --max-model-len must hold the longest',
    );
  }
  const prefixReuse = given.prefixReuse ?? reuseFrom(given, input, assumptions);
  const { share, groups } = assumedReuse[prefixReuse];
  // Who says that nothing is shared and leaves a length standing means the first.
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
      `${wantedShared} is more than a prompt has on average`,
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
    prefixGroups:
      prefixReuse === 'none' && given.prefixGroups === undefined
        ? 1
        : assumptions.fill(
            'workload.prefixGroups',
            given.prefixGroups,
            groups,
            `usual for ${prefixReuse}`,
          ),
    preemptionsPerMinute: assumptions.fill(
      'workload.preemptionsPerMinute',
      given.preemptionsPerMinute,
      0,
      'none were reported',
    ),
  };
}

/** What a trace says where the file says nothing; who gives a rate means it, and not the trace's peak. */
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

/** Measured values are noted beside the assumed ones, as are those of Prometheus. */
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

/** Fills what the team said of itself. */
export function resolveOperations(
  { operations }: PlanInput,
  assumptions: Assumptions,
): PlanOperations {
  const { budgetPerHour, gpuPricePerHour, routing, tenants = 1 } = operations;
  const fill = <T>(key: keyof PlanInput['operations'], value: T, because: string): T =>
    assumptions.fill(`operations.${key}`, operations[key] as T | undefined, value, because);
  return {
    kubernetes: fill('kubernetes', true, 'nothing says that Kubernetes is missing'),
    multiTenant: isMultiTenant(operations),
    tenants,
    hbmMonitoring: fill('hbmMonitoring', true, 'this plan brings the alert and the gate'),
    handRolled: operations.handRolled ?? false,
    hostDramGiB: fill(
      'hostDramGiB',
      assumedHostDramGiB,
      'what a GPU server has to spare per engine',
    ),
    ...{ budgetPerHour, gpuPricePerHour, routing },
  };
}

/** Prompts that nothing is said of: what else is said of the service tells whether they begin alike. */
function reuseFrom(
  { sharedPrefixTokens = 0 }: { readonly sharedPrefixTokens?: number | undefined },
  { operations, fleet }: PlanInput,
  assumptions: Assumptions,
): PrefixReuse {
  const signs = [
    { sign: sharedPrefixTokens > 0, because: 'sharedPrefixTokens is given' },
    { sign: isMultiTenant(operations), because: 'tenants share a system prompt' },
    { sign: (fleet.loraAdapters ?? 0) > 0, because: 'each adapter has a task, and its prompt' },
  ];
  const found = signs.find(({ sign }) => sign);
  const reuse = found ? 'system-prompt' : 'none';
  const because = found?.because ?? 'nothing says that prompts begin alike';
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

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
