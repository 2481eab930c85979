// The six sections of the page as short lines, for Markdown and HTML.
import { counted } from '../../core/base/index.ts';
import { kvBytesPerToken } from '../../core/engine/index.ts';
import {
  chartNames,
  chartsWithAll,
  measuredOffload,
  modelledOffload,
  type RuleId,
} from '../../core/plan/index.ts';
import {
  dollars,
  gigabytes,
  milliseconds,
  number,
  roundChange,
  roundPercent,
  type Table,
} from '../report/index.ts';
import { chartPolicy } from './chart-values.ts';
import { pricePerMillionTokens, range } from './figures.ts';
import type { EngineLayout } from './layout.ts';
import type { Plan } from './plan.ts';
import { sharesPrefixes } from './plan-traffic.ts';
import type { Gain, Scenario } from './scenario.ts';
import { offloadNames } from './settle-offload.ts';
import { hostMemory, transferBreakEven } from './transfer.ts';
import { offloadGiBPerWorker, spansNodes } from './values-file.ts';

export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
  /** Printed above the lines. */
  readonly table?: Table;
}

/** Display names of the stacks. */
export const stackNames = {
  'production-stack': 'vLLM production stack',
  'own-stack': 'own stack',
  'single-engine': 'single-engine vLLM + simple proxy',
} as const;

/** Returns the decision in one line. */
export function headline({ decision, engines, layout }: Plan): string {
  return (
    `${stackNames[decision.stack]}, ${offloadNames[decision.kvOffload]}, ${engines} × ` +
    `${layout.model.name} on ${layout.gpusPerEngine} × ${layout.gpu.name}`
  );
}

/** Returns the first line: whether the plan stands, has what was wanted, and meets the goals. */
function verdict(plan: Plan): string {
  const { decision, impact, shortfalls, input } = plan;
  const { planned } = impact;
  const wanted = leftOut(plan);
  const flaws = [
    ...(wanted === undefined ? [] : [`without the wanted ${offloadNames[wanted]}`]),
    ...(shortfalls.length === 0 ? [] : ['it falls short']),
  ];
  const first = decision.stands
    ? `The plan stands${flaws.length === 0 ? '' : ` by the rules, but ${flaws.join(', and ')}`}.`
    : 'The request is refused; this is the plan for the closest layout that is accepted.';
  const goals = goalsText(input.slo);
  if (goals === undefined) return first;
  return `${first} Goodput ${range(planned.goodput, roundPercent)}: the share of requests with ${goals}.`;
}

/** Rules about offload: what they refuse is said with them. */
const offloadRules: readonly RuleId[] = [
  'short-prompts-low-concurrency',
  'fewer-than-two-engines',
  'lmcache-without-reuse-or-preemption',
];

/** The tier in `wants` that no rule refuses and that the plan leaves out, because it does not pay; undefined without one. */
export function leftOut({ input, decision }: Pick<Plan, 'input' | 'decision'>) {
  const { kvOffload: wanted } = input.wants;
  const { kvOffload, refusals, rejects } = decision;
  if (wanted === undefined || wanted === 'none' || wanted === kvOffload) return undefined;
  const refused = [...refusals, ...rejects].some(
    (one) => one.wanted && offloadRules.includes(one.rule),
  );
  return refused ? undefined : wanted;
}

/** How to have a tier that the plan leaves out. */
const settingOf = {
  native: '--kv-offloading-size in vllmConfig.extraArgs',
  lmcache: 'lmcacheConfig.enabled',
} as const;

/** Describes the goals; undefined without goals. */
export function goalsText({ ttftMs, tpotMs, e2eMs }: Plan['input']['slo']): string | undefined {
  const goals = [
    ...(ttftMs === undefined ? [] : [`TTFT at most ${milliseconds(ttftMs)}`]),
    ...(tpotMs === undefined ? [] : [`TPOT at most ${milliseconds(tpotMs)}`]),
    ...(e2eMs === undefined ? [] : [`E2E at most ${milliseconds(e2eMs)}`]),
  ];
  return goals.length === 0 ? undefined : goals.join(', ');
}

/** Returns the verdict, the advised alternative, refusals and shortfalls. */
export function verdictLines(plan: Plan): string[] {
  const { decision, offload, overridden, shortfalls } = plan;
  const { refusals, rejects } = decision;
  const wanted = [...rejects, ...refusals].filter((one) => one.wanted);
  const other = refusals.filter((one) => !one.wanted);
  const leftOutTier = leftOut(plan);
  return [
    verdict(plan),
    ...(leftOutTier === undefined
      ? []
      : [
          `Left out: ${offloadNames[leftOutTier]}, which no rule refuses: ${decision.kvOffloadBecause}. Set ${settingOf[leftOutTier]} in the values file to have it all the same.`,
        ]),
    ...(offload.disagreement === undefined
      ? []
      : [`Rules and simulation disagree: ${offload.disagreement}.`]),
    ...wanted.map(
      ({ rule, because, nearest }) => `Refused (${rule}): ${because}. Instead: ${nearest}.`,
    ),
    ...shortfalls.map(({ of, because }) => `Falls short (${of}): ${because}.`),
    ...other.map(({ rule, because }) => `Not an option (${rule}): ${because}.`),
    ...(overridden.length === 0 ? [] : [overriddenLine(overridden)]),
  ];
}

/** Names custom thresholds, because the decision differs from the skill's. */
function overriddenLine(overridden: Plan['overridden']): string {
  const texts = overridden.map(
    ({ threshold, value, insteadOf, by }) =>
      `${threshold} ${value} instead of ${insteadOf} (${by})`,
  );
  return `Decided with custom thresholds: ${texts.join(', ')}.`;
}

export function sections(plan: Plan): Section[] {
  return [
    stackSection(plan),
    offloadSection(plan),
    hbmSection(plan),
    routerSection(plan),
    observabilitySection(plan),
    impactSection(plan),
  ];
}

function stackSection(plan: Plan): Section {
  const { decision, engines, layout, input, impact, disaggregation, autoscaling, facts } = plan;
  const { disaggregated } = impact;
  const isStack = decision.stack !== 'single-engine';
  return {
    title: 'Stack',
    lines: [
      `${capitalised(stackNames[decision.stack])}: ${decision.stackBecause}.`,
      ...(isStack
        ? [
            ...(decision.stack === 'production-stack'
              ? [
                  'Helm charts that take the values file of this plan unchanged: charts/spillway (spillway deploy), whose router has all policies, and upstream’s vllm/vllm-stack.',
                  ...needsLines(facts),
                ]
              : []),
            `Custom resources that apply: ${customResources(plan).join(', ')}.`,
            `With the production-stack operator in place of the chart: ${operatorKinds(plan).join(', ')}.`,
          ]
        : ['One vllm serve per host behind one spillway router; no operator, no CRD.']),
      `${counted(engines, 'engine')}, each ${layout.gpusPerEngine} × ${layout.gpu.name}` +
        `${parallelText(layout)}: ${layout.model.name}, --max-model-len ` +
        `${layout.config.maxModelLen}, --max-num-seqs ${layout.config.maxNumSeqs}${nodesText(plan)}.`,
      `KV cache in the model’s own type (--kv-cache-dtype auto): ${impact.kvDtype.because}.`,
      `Prefill and decode aggregated${disaggregation.advised ? '; ' : ': '}${disaggregation.because}.`,
      ...(disaggregated === undefined
        ? []
        : [
            `Disaggregated, simulated with ${disaggregated.prefillEngines} prefill and ${engines - disaggregated.prefillEngines} decode engines over ${disaggregated.link}: ${scenarioLine(disaggregated.scenario, goalsText(input.slo) !== undefined)} Compared with the same engines aggregated: ${gainText(disaggregated.gain)}. docs/guide/disaggregation.md says how the router runs it.`,
          ]),
      ...(isStack
        ? [
            `Autoscaling, if needed: ${autoscaling.signal}, ${autoscaling.threshold}, up to ${autoscaling.enginesMax} engines. ${spansNodes(layout) ? 'The chart does not scale engines that Ray spreads over nodes.' : 'The values file has a ScaledObject for it, as a comment.'}`,
          ]
        : []),
      ...(input.operations.budgetPerHour === undefined
        ? []
        : [
            `${dollars(totalPrice(layout.pricePerHour, engines))} per hour of a budget of ${dollars(input.operations.budgetPerHour)}.`,
          ]),
    ],
  };
}

/** Names the chart to use if only one of them has everything in `operations.needs`. */
function needsLines(facts: Plan['facts']): string[] {
  const charts = chartsWithAll(facts);
  const [only] = charts;
  if (facts.needs.length === 0 || charts.length !== 1 || only === undefined) return [];
  return [
    `Of the two, only ${chartNames[only]} has everything in operations.needs (${facts.needs.join(', ')}).`,
  ];
}

/** Returns the kinds of custom resources that apply. */
export function customResources({ facts, layout }: Pick<Plan, 'facts' | 'layout'>): string[] {
  return [
    'ScaledObject (KEDA) once autoscaling is on',
    'ServiceMonitor and PrometheusRule (Prometheus Operator)',
    ...(spansNodes(layout) ? ['RayCluster (KubeRay)'] : []),
    ...(facts.loraAdapters > 0 ? ['LoraAdapter (production-stack)'] : []),
  ];
}

/** Returns the kinds of the production-stack operator for the same stack. */
export function operatorKinds({ decision, facts }: Pick<Plan, 'decision' | 'facts'>): string[] {
  return [
    'VLLMRuntime (engines)',
    'VLLMRouter (router)',
    ...(decision.kvOffload === 'lmcache' ? ['CacheServer (LMCache’s server)'] : []),
    ...(facts.loraAdapters > 0 ? ['LoraAdapter (each adapter)'] : []),
  ];
}

/** Describes the nodes, if the input sets gpusPerNode. */
function nodesText({ engines, layout, input }: Plan): string {
  const { gpusPerNode, gpusPerEngine } = layout;
  if (input.fleet.gpusPerNode === undefined) return '';
  const perNode = Math.floor(gpusPerNode / gpusPerEngine);
  const nodes =
    perNode > 0 ? Math.ceil(engines / perNode) : engines * Math.ceil(gpusPerEngine / gpusPerNode);
  return `, on ${counted(nodes, 'node')} of ${counted(gpusPerNode, 'GPU')}`;
}

/** Describes the parallelism of an engine and its reason. */
function parallelText(layout: Plan['layout']): string {
  const { gpusPerEngine, tensorParallelSize, pipelineParallelSize, parallelBecause } = layout;
  if (gpusPerEngine === 1) return '';
  const stages = pipelineParallelSize > 1 ? `, pipeline parallel ${pipelineParallelSize}` : '';
  return ` (tensor parallel ${tensorParallelSize}${stages}: ${parallelBecause})`;
}

function offloadSection(plan: Plan): Section {
  const { decision, offloadGiB, layout, engines, impact } = plan;
  const sizes: Record<typeof decision.kvOffload, string> = {
    none: 'All KV cache stays in HBM.',
    native: `--kv-offloading-size ${Math.floor(offloadGiB)} (GiB of host memory per engine, ${number((offloadGiB * 2 ** 30) / kvBytesPerToken(layout.model))} tokens); a mirror, so it must be larger than HBM's cache to gain.`,
    lmcache: `lmcacheConfig.cpuOffloadingBufferSize ${offloadGiBPerWorker({ offloadGiB, layout })} (GiB of host memory per GPU; ${number(offloadGiB)} GiB per engine, ${number((offloadGiB * 2 ** 30) / kvBytesPerToken(layout.model))} tokens); ${engines} engines share KV through its server (${number(offloadGiB)} GiB).`,
  };
  return {
    title: 'KV offload',
    lines: [
      `${capitalised(offloadNames[decision.kvOffload])}: ${decision.kvOffloadBecause}.`,
      sizes[decision.kvOffload],
      `HBM holds ${number(layout.kvTokens)} tokens of KV per engine; the working set is ${roundPercent(impact.workingSet)} of the fleet's.`,
      ...hostMemoryLines(plan),
      transferLine(plan),
    ],
  };
}

/** Compares the price of host memory with the GPUs that its gain replaces. */
function hostMemoryLines({ decision, offloadGiB, engines, layout, impact }: Plan): string[] {
  const { kvOffload } = decision;
  if (kvOffload === 'none') return [];
  const { gib, pricePerHour, enginesSaved } = hostMemory(
    offloadGiB,
    engines,
    impact.gains[kvOffload].throughput.mean,
  );
  const gpus = layout.pricePerHour;
  const saved =
    enginesSaved < 0.05
      ? 'saves no GPU here'
      : `does the work of ${number(enginesSaved)} more engines${gpus === undefined ? '' : ` (${dollars(gpus * enginesSaved)} per hour)`}`;
  return [
    `Host memory: ${number(gib)} GiB in all, about ${dollars(pricePerHour)} per hour at $4 per GiB and month${gpus === undefined ? '' : `, next to ${dollars(gpus * engines)} for the GPUs`}; it ${saved}.`,
  ];
}

/** States from which length a transfer beats a second prefill. */
function transferLine({ layout, engines }: Plan): string {
  const even = transferBreakEven(layout);
  const from = (tokens: number | undefined) =>
    tokens === undefined ? 'at no length' : `from ${number(tokens)} tokens on`;
  const host = `from host memory ${from(even.hostTokens)} (${number(even.hostTokensPerSecond)} tokens/s)`;
  const store = `from a shared store at 15 Gbit/s ${from(even.storeTokens)} (${number(even.storeTokensPerSecond)} tokens/s)`;
  return `Reading KV beats a second prefill (${number(even.prefillTokensPerSecond)} tokens/s) ${host}${engines > 1 ? `, ${store}` : ''}.`;
}

function hbmSection({ layout, thresholds }: Plan): Section {
  const { memory, gpu, gpuMemoryUtilization } = layout;
  const budget =
    memory === undefined
      ? 'On the CPU the size of the KV cache is a setting: VLLM_CPU_KVCACHE_SPACE (GiB).'
      : `--gpu-memory-utilization ${gpuMemoryUtilization}: of ${gigabytes(gpu.memoryBytes ?? 0)} per GPU, weights take ` +
        `${gigabytes(memory.weightBytes)}, activations and logits ${gigabytes(memory.activationBytes + memory.logitsBytes)}, ` +
        `CUDA ${gigabytes(memory.fixedBytes)}, KV cache ${gigabytes(memory.kvCacheBytes)}; ${gigabytes(memory.headroomBytes)} stay free as headroom.`;
  return {
    title: 'HBM monitoring',
    lines: [
      budget,
      `Alert at ≥ ${roundPercent(thresholds.hbmUtilization)} of vllm:kv_cache_usage_perc, sustained ${number(thresholds.hbmSustainedSeconds / 60)} min, before requests are preempted. --rules writes the rule.`,
    ],
  };
}

function routerSection(plan: Plan): Section {
  const { routing, decision, impact } = plan;
  return {
    title: 'Router',
    lines: [
      `routingLogic: ${routing.policy}. ${capitalised(routing.because)}.`,
      ...chartPolicyLine(plan),
      ...(routing.simulated === routing.policy
        ? []
        : [
            `The figures are for routing by ${routing.simulated}, as in the input; the values file is for Spillway’s own router.`,
          ]),
      ...routingDisagreement(impact, routing.policy),
      decision.stack !== 'single-engine'
        ? 'KV-event channel: --kv-events-config in extraArgs, publisher zmq with a replay endpoint; spillway up gives each engine ports of its own.'
        : 'One engine needs no KV events.',
    ],
  };
}

/** Explains the policy in the values file if the chart's router lacks the planned one. */
function chartPolicyLine({ routing, decision, workload }: Plan): string[] {
  const policy = chartPolicy(routing.policy, decision, sharesPrefixes(workload));
  if (policy === routing.policy || decision.stack === 'single-engine') return [];
  return [
    `Upstream’s router has no ${routing.policy}${routing.policy === 'kvaware' ? ' without LMCache' : ''}: the values file names ${policy} for the chart and spillway.routingLogic for Spillway’s router.`,
  ];
}

/** Smaller gains count as none. */
export const routingGainMin = 0.02;

/** Names the other policy that reads KV events if it performs better. */
function routingDisagreement({ otherRouting }: Plan['impact'], planned: string): string[] {
  if (otherRouting === undefined || otherRouting.gain.throughput.mean < routingGainMin) return [];
  const { policy, gain } = otherRouting;
  return [
    `In simulation, routingLogic: ${policy}, which reads the KV events of the engines, too, is better here: ${gainText(gain)} over ${planned} (operations.routing chooses it).`,
  ];
}

function observabilitySection({ decision }: Plan): Section {
  const isStack = decision.stack !== 'single-engine';
  return {
    title: 'Observability',
    lines: [
      `Prometheus scrapes each engine's /metrics${isStack ? ' (ServiceMonitor) and the router’s' : ' and the proxy’s'}, every 15 s.`,
      'Traces should carry the OTel GenAI attributes (routerSpec.otel of the charts; --otel-endpoint of Spillway’s router): gen_ai.system and gen_ai.provider.name, gen_ai.operation.name, gen_ai.request.model, gen_ai.usage.input_tokens, gen_ai.usage.output_tokens, gen_ai.response.finish_reasons.',
      `Dashboards: ${isStack ? 'those of the production-stack chart (grafanaDashboards.enabled), ' : ''}TTFT, queue, KV-cache use, hit rate, preemptions.`,
    ],
  };
}

function impactSection(plan: Plan): Section {
  const { impact, layout, decision } = plan;
  return {
    title: 'Expected impact',
    table: impactTable(plan),
    lines: [
      ...impact.gainsByRouting.map(
        ({ routing, native, lmcache }) =>
          `With ${routing} routing, compared with no offload: native ${gainText(native)}; LMCache ${gainText(lmcache)}.`,
      ),
      redundantPrefillLine(plan),
      `The working set is ${roundPercent(impact.workingSet)} of HBM’s KV cache. ${measuredLine(impact.workingSet)}`,
      ...impact.purchases.map(
        ({ what, gain, pricePerHour }) =>
          `Next, ${what}: ${gainText(gain)}, ${pricePerHour === undefined ? 'price unknown' : `${dollars(pricePerHour)} an hour more`}.`,
      ),
      `Simulated: ${impact.runs} fleets per layout, each with its own traffic, error of the engine model (from held-out points) and cost of a tier (as measured); ${routingsText(plan)}intervals hold 90 %. ${decision.kvOffload === 'none' ? '' : stepTimesText(layout)}`.trim(),
    ],
  };
}

/** Reports redundant prefill and, for each tier, avoided prefill together with its gain. */
function redundantPrefillLine({ impact, input }: Plan): string {
  const { baseline, native, lmcache, gains } = impact;
  const avoided = ({ hitRate }: Scenario) => {
    const computed = 1 - baseline.hitRate.mean;
    return computed > 0 ? 1 - (1 - hitRate.mean) / computed : 0;
  };
  const tier = (name: string, scenario: Scenario, gain: Gain) =>
    `${name} avoids ${roundPercent(Math.max(0, avoided(scenario)))} of the prompt tokens computed, ${roundChange(gain.throughput.mean)} tokens/s`;
  const goodput =
    goalsText(input.slo) === undefined
      ? ''
      : ` Raw throughput is ${number(baseline.throughput.mean)} output tokens/s, and ${roundPercent(baseline.goodput.mean)} of the requests meet all goals.`;
  return `Redundant prefill without offload: ${roundPercent(baseline.redundantPrefill.mean)} of the prompt tokens computed were computed before and evicted or preempted; ${tier('native', native, gains.native)}; ${tier('LMCache', lmcache, gains.lmcache)}.${goodput}`;
}

/** Says what offload gained on real GPUs by the size of the working set, and how far this simulation is from that. */
function measuredLine(workingSet: number): string {
  const points = measuredOffload.map(({ workingSet: set, native, lmcache, requestsPerSecond }) => {
    const rate = requestsPerSecond === undefined ? '' : ` at ${requestsPerSecond} requests/s`;
    const both = lmcache === undefined ? '' : ` and ${roundChange(lmcache)} (LMCache)`;
    return `${roundPercent(set)}: ${roundChange(native)} (native)${both}${rate}`;
  });
  const beyond =
    workingSet < 1
      ? ''
      : ` For the last two, this simulation gives ${modelledOffload.map(roundChange).join(' and ')}: gains beyond HBM may be larger than the table says.`;
  return `Measured on 16 × H100 (llm-d, Qwen3-32B) by working set: ${points.join('; ')}.${beyond}`;
}

/** Names the source of the step times. */
export function stepTimesText({ gpu, measured }: Pick<EngineLayout, 'gpu' | 'measured'>): string {
  return `GPU ${gpu.name}: ${measured ? 'constants of the measured engine (--profile)' : gpu.efficiencySource}.`;
}

/** Published gains in tokens per second: with KV cache beyond HBM, and within it. */
const published = { none: '–', native: '+21.3 %, −1.5 %', lmcache: '+21.7 %, −2.6 %' } as const;

/** Returns the table of today's deployment and the three layouts, with intervals. */
function impactTable({ impact, decision, input }: Plan): Table {
  const hasGoals = goalsText(input.slo) !== undefined;
  const { baseline, native, lmcache, today, gains } = impact;
  const row = (name: string, scenario: Scenario, rest: readonly string[]): string[] => {
    const { throughput, ttftMs, tpotMs, goodput, pricePerHour, isOverloaded } = scenario;
    const price = pricePerMillionTokens(pricePerHour, throughput.mean);
    return [
      `${name}${isOverloaded ? ' (OVERLOADED)' : ''}`,
      ...[range(throughput, number), range(ttftMs, milliseconds), range(tpotMs, milliseconds)],
      ...(hasGoals ? [range(goodput, roundPercent)] : []),
      price === undefined ? 'unknown' : `${dollars(pricePerHour)}, ${dollars(price)}`,
      ...rest,
    ];
  };
  const ofKind = (kind: keyof typeof published, scenario: Scenario) => {
    const isPlan = kind === decision.kvOffload;
    const gain = kind === 'none' ? '–' : range(gains[kind].throughput, roundChange);
    const overToday = isPlan && gains.overToday ? gainText(gains.overToday) : '–';
    const name = `${offloadNames[kind]}${isPlan ? ' (the plan)' : ''}`;
    const against = today === undefined ? [gain] : [gain, overToday];
    return row(name, scenario, [...against, published[kind]]);
  };
  return {
    head: [
      ...['layout', 'output tokens/s', 'TTFT', 'TPOT', ...(hasGoals ? ['goodput'] : [])],
      '$ per hour, per million tokens',
      'tokens/s vs none',
      ...(today === undefined ? [] : ['vs today']),
      '16 × H100: KV beyond HBM, fitting',
    ],
    rows: [
      ...(today === undefined ? [] : [row(`today: ${today.label}`, today, ['–', '–', '–'])]),
      ...[ofKind('none', baseline), ofKind('native', native), ofKind('lmcache', lmcache)],
    ],
  };
}

/** Names the routers that the intervals cover. */
function routingsText({ routing }: Plan): string {
  const { simulated, alternatives } = routing;
  if (alternatives.length === 0) return '';
  return `means are for ${simulated} routing, intervals also cover ${alternatives.join(', ')} (set operations.routing to choose); `;
}

function scenarioLine(scenario: Scenario, hasGoals: boolean): string {
  const { throughput, ttftMs, tpotMs, goodput, pricePerHour, isOverloaded } = scenario;
  const price = pricePerMillionTokens(pricePerHour, throughput.mean);
  return (
    `${isOverloaded ? 'OVERLOADED, latencies keep growing: ' : ''}${range(throughput, number)} output tokens/s, ` +
    `TTFT ${range(ttftMs, milliseconds)}, TPOT ${range(tpotMs, milliseconds)}` +
    `${hasGoals ? `, goodput ${range(goodput, roundPercent)}` : ''}` +
    `${price === undefined ? '' : `, ${dollars(price)} per million output tokens`}.`
  );
}

function gainText({ throughput, ttft }: Gain): string {
  return `${range(throughput, roundChange)} tokens/s, TTFT ${roundChange(ttft.mean)}`;
}

function totalPrice(pricePerHour: number | undefined, engines: number): number | undefined {
  return pricePerHour === undefined ? undefined : pricePerHour * engines;
}

function capitalised(text: string): string {
  // vLLM keeps its spelling at the start of a line.
  return text.startsWith('vLLM') ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
