// The six sections of the page, as short lines: Markdown and HTML set the same text.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import {
  change,
  dollars,
  gigabytes,
  milliseconds,
  number,
  percent,
  pricePerMillionTokens,
  range,
} from './figures.ts';
import type { EngineLayout } from './layout.ts';
import type { Gain, Plan, Scenario } from './plan.ts';
import { spansNodes } from './values-file.ts';

export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
  /** Above the lines; the first row is its head. */
  readonly table?: readonly (readonly string[])[];
}

/** Name of the decision in words. */
export const stackNames = {
  'production-stack': 'vLLM production stack',
  'single-engine': 'single-engine vLLM + simple proxy',
} as const;
export const offloadNames = {
  none: 'no offload',
  native: 'native CPU offload',
  lmcache: 'LMCache',
} as const;

/** One line: what is decided. */
export function headline({ decision, engines, layout }: Plan): string {
  return (
    `${stackNames[decision.stack]}, ${offloadNames[decision.kvOffload]}, ${engines} × ` +
    `${layout.model.name} on ${layout.gpusPerEngine} × ${layout.gpu.name}`
  );
}

/** Whether the plan is what was wanted, and each thing that was refused. */
export function verdictLines({ decision, impact, overridden, shortfalls }: Plan): string[] {
  const { refusals, rejects, stands } = decision;
  const wanted = [...rejects, ...refusals].filter((one) => one.wanted);
  const other = refusals.filter((one) => !one.wanted);
  return [
    stands
      ? `The plan stands${shortfalls.length === 0 ? '' : ' by the rules, and falls short'}.`
      : 'What was wanted is refused; this is the plan for the nearest thing that is accepted.',
    ...wanted.map(
      ({ rule, because, nearest }) => `Refused (${rule}): ${because}. Instead: ${nearest}.`,
    ),
    ...shortfalls.map(({ of, because }) => `Falls short (${of}): ${because}.`),
    ...other.map(({ rule, because }) => `Not on the table (${rule}): ${because}.`),
    ...(overridden.length === 0 ? [] : [overriddenLine(overridden)]),
    ...(impact.disagreement === undefined ? [] : [impact.disagreement]),
  ];
}

/** So that nobody takes the decision for the skill's. */
function overriddenLine(overridden: Plan['overridden']): string {
  const texts = overridden.map(
    ({ threshold, value, insteadOf, by }) =>
      `${threshold} ${value} instead of ${insteadOf} (${by})`,
  );
  return `Decided with thresholds of your own: ${texts.join(', ')}.`;
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

function stackSection({
  decision,
  engines,
  layout,
  input,
  maxNumSeqs,
  impact,
  disaggregation,
  autoscaling,
  facts,
  impact: { apart },
}: Plan): Section {
  const isStack = decision.stack === 'production-stack';
  const crds = [
    'ScaledObject (KEDA) once autoscaling is on',
    'ServiceMonitor and PrometheusRule (Prometheus Operator)',
    ...(facts.loraAdapters > 0 ? ['LoraAdapter (production-stack operator)'] : []),
  ];
  return {
    title: 'Stack',
    lines: [
      `${capitalised(stackNames[decision.stack])}: ${decision.stackBecause}.`,
      isStack
        ? `Helm chart vllm/vllm-stack with the values file of this plan. CRDs that apply: ${crds.join(', ')}.`
        : 'One vllm serve per host and one spillway router before it; no operator, no CRD.',
      `${engines} ${engines === 1 ? 'engine' : 'engines'}, each ${layout.gpusPerEngine} × ${layout.gpu.name}` +
        `${parallelText(layout)}: ${layout.model.name}, --max-model-len ` +
        `${layout.config.maxModelLen}, --max-num-seqs ${maxNumSeqs}.`,
      `KV cache in the model’s own type (--kv-cache-dtype auto): ${impact.kvDtype.because}.`,
      `Prefill and decode ${disaggregation.advised ? 'apart' : 'together'}: ${disaggregation.because}.`,
      ...(apart === undefined
        ? []
        : [
            `Simulated, ${apart.prefillEngines} to prefill and ${engines - apart.prefillEngines} to decode over ${apart.link}: ${scenarioLine(apart.scenario)} Against the same engines together ${gainText(apart.gain)}. The values file starts them together: the router does not take prefill and decode apart yet.`,
          ]),
      ...(isStack
        ? [
            `Autoscaling, where it is wanted: ${autoscaling.signal}, ${autoscaling.threshold}, up to ${autoscaling.enginesMax} engines. ${spansNodes(layout) ? 'The chart does not scale engines that Ray spreads over nodes.' : 'The values file has it under keda, off (enabled: false).'}`,
          ]
        : []),
      ...(input.operations.budgetPerHour === undefined
        ? []
        : [
            `${dollars(totalPrice(layout.pricePerHour, engines))} an hour of a budget of ${dollars(input.operations.budgetPerHour)}.`,
          ]),
    ],
  };
}

/** How the GPUs of an engine share it, and why. */
function parallelText(layout: Plan['layout']): string {
  const { gpusPerEngine, tensorParallelSize, pipelineParallelSize, parallelBecause } = layout;
  if (gpusPerEngine === 1) return '';
  const stages = pipelineParallelSize > 1 ? `, pipeline parallel ${pipelineParallelSize}` : '';
  return ` (tensor parallel ${tensorParallelSize}${stages}: ${parallelBecause})`;
}

function offloadSection({ decision, offloadGiB, layout, engines, impact }: Plan): Section {
  const sizes: Record<typeof decision.kvOffload, string> = {
    none: 'All KV cache stays in HBM.',
    native: `--kv-offloading-size ${Math.floor(offloadGiB)} (GiB of host memory per engine, ${number((offloadGiB * 2 ** 30) / kvBytesPerToken(layout.model))} tokens); a mirror, so it must be larger than HBM's cache to gain.`,
    lmcache: `lmcacheConfig.cpuOffloadingBufferSize ${Math.floor(offloadGiB)} (GB of host memory per engine, ${number((offloadGiB * 2 ** 30) / kvBytesPerToken(layout.model))} tokens); ${engines} engines share through its server.`,
  };
  return {
    title: 'KV offload',
    lines: [
      `${capitalised(offloadNames[decision.kvOffload])}: ${decision.kvOffloadBecause}.`,
      sizes[decision.kvOffload],
      `HBM holds ${number(layout.kvTokens)} tokens of KV per engine; the working set is ${percent(impact.workingSet)} of the fleet's.`,
    ],
  };
}

function hbmSection({ layout, thresholds }: Plan): Section {
  const { memory, gpu, gpuMemoryUtilization } = layout;
  const budget =
    memory === undefined
      ? 'On the CPU the KV cache is a size that is given: VLLM_CPU_KVCACHE_SPACE (GiB).'
      : `--gpu-memory-utilization ${gpuMemoryUtilization}: of ${gigabytes(gpu.memoryBytes ?? 0)} a GPU, weights take ` +
        `${gigabytes(memory.weightBytes)}, activations and logits ${gigabytes(memory.activationBytes + memory.logitsBytes)}, ` +
        `CUDA ${gigabytes(memory.fixedBytes)}, KV cache ${gigabytes(memory.kvCacheBytes)}; ${gigabytes(memory.headroomBytes)} stay free as headroom.`;
  return {
    title: 'HBM monitoring',
    lines: [
      budget,
      `Alert at ≥ ${percent(thresholds.hbmUtilization)} of vllm:kv_cache_usage_perc, sustained ${number(thresholds.hbmSustainedSeconds / 60)} min: before requests are preempted. The rule is in the file of --rules.`,
    ],
  };
}

function routerSection({ routing, decision, impact }: Plan): Section {
  return {
    title: 'Router',
    lines: [
      `routingLogic: ${routing.policy}. ${capitalised(routing.because)}.`,
      ...(routing.simulated === routing.policy
        ? []
        : [
            `The figures are those behind ${routing.simulated}, as the input says; the values file is for Spillway’s own router.`,
          ]),
      ...routingDisagreement(impact),
      decision.stack === 'production-stack'
        ? 'KV-event channel: kvEvents: true gives each engine --kv-events-config with publisher zmq and a replay endpoint, in the flags that spillway up renders.'
        : 'One engine needs no KV events.',
    ],
  };
}

/** Gains within this of nothing count as none. */
const routingGainMin = 0.02;

/** One line where the simulation sees another policy ahead of the one that the skill asks for. */
function routingDisagreement({ predictiveRouting }: Plan['impact']): string[] {
  if (predictiveRouting === undefined || predictiveRouting.throughput.mean < routingGainMin) {
    return [];
  }
  return [
    `Simulated, routingLogic: predictive does better here: ${gainText(predictiveRouting)} over kvaware. The skill asks for a router that reads KV events, so the plan keeps that; try both.`,
  ];
}

function observabilitySection({ decision }: Plan): Section {
  const isStack = decision.stack === 'production-stack';
  return {
    title: 'Observability',
    lines: [
      `Prometheus scrapes each engine's /metrics${isStack ? ' (ServiceMonitor) and the router’s' : ' and the proxy’s'}, every 15 s.`,
      'Traces should carry the OTel GenAI attributes (routerSpec.otel of the chart; the router of Spillway does not trace yet): gen_ai.system and gen_ai.provider.name, gen_ai.operation.name, gen_ai.request.model, gen_ai.usage.input_tokens, gen_ai.usage.output_tokens, gen_ai.response.finish_reasons.',
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
          `Behind ${routing}, against no offload: native ${gainText(native)}; LMCache ${gainText(lmcache)}.`,
      ),
      `The working set is ${percent(impact.workingSet)} of HBM’s KV cache; in the 16 × H100 experiment (llm-d, Qwen3-32B) it was 120 % and 35 %.`,
      ...impact.purchases.map(
        ({ what, gain, pricePerHour }) =>
          `Next, ${what}: ${gainText(gain)}, ${pricePerHour === undefined ? 'price unknown' : `${dollars(pricePerHour)} an hour more`}.`,
      ),
      `Simulated: ${impact.runs} fleets a layout, each with its own traffic, error of the engine model (as of held-out points) and cost of a tier (as measured); ${routingsText(plan)}intervals hold 90 %. ${decision.kvOffload === 'none' ? '' : stepTimesText(layout)}`.trim(),
    ],
  };
}

/** Where the step times come from. */
export function stepTimesText({ gpu, measured }: Pick<EngineLayout, 'gpu' | 'measured'>): string {
  return `GPU ${gpu.name}: ${measured ? 'constants of the measured engine (--profile)' : gpu.efficiencySource}.`;
}

/** Published gains in tokens a second: where KV exceeded HBM, and where it fitted. */
const published = { none: '–', native: '+21.3 %, −1.5 %', lmcache: '+21.7 %, −2.6 %' } as const;

/** Today and the three layouts, the planned one marked, with their intervals. */
function impactTable({ impact, decision }: Plan): string[][] {
  const { baseline, native, lmcache, today, gains } = impact;
  const row = (name: string, scenario: Scenario, rest: readonly string[]): string[] => {
    const { throughput, ttftMs, tpotMs, goodput, pricePerHour, isOverloaded } = scenario;
    const price = pricePerMillionTokens(pricePerHour, throughput.mean);
    return [
      `${name}${isOverloaded ? ' (OVERLOADED)' : ''}`,
      ...[range(throughput, number), range(ttftMs, milliseconds), range(tpotMs, milliseconds)],
      range(goodput, percent),
      price === undefined ? 'unknown' : `${dollars(pricePerHour)}, ${dollars(price)}`,
      ...rest,
    ];
  };
  const ofKind = (kind: keyof typeof published, scenario: Scenario) => {
    const isPlan = kind === decision.kvOffload;
    const gain = kind === 'none' ? '–' : range(gains[kind].throughput, change);
    const overToday = isPlan && gains.overToday ? gainText(gains.overToday) : '–';
    const name = `${offloadNames[kind]}${isPlan ? ' (the plan)' : ''}`;
    const against = today === undefined ? [gain] : [gain, overToday];
    return row(name, scenario, [...against, published[kind]]);
  };
  return [
    [
      ...['layout', 'output tokens/s', 'TTFT', 'TPOT', 'goodput', '$ an hour, a million tokens'],
      'tokens/s against none',
      ...(today === undefined ? [] : ['against today']),
      '16 × H100: KV beyond HBM, fitting',
    ],
    ...(today === undefined ? [] : [row(`today: ${today.label}`, today, ['–', '–', '–'])]),
    ...[ofKind('none', baseline), ofKind('native', native), ofKind('lmcache', lmcache)],
  ];
}

/** Whose intervals are put together. */
function routingsText({ routing }: Plan): string {
  const { simulated, alternatives } = routing;
  if (alternatives.length === 0) return '';
  return `middles are behind ${simulated}, intervals also hold fleets behind ${alternatives.join(', ')} (operations.routing settles it); `;
}

function scenarioLine(scenario: Scenario): string {
  const { throughput, ttftMs, tpotMs, goodput, pricePerHour, isOverloaded } = scenario;
  const price = pricePerMillionTokens(pricePerHour, throughput.mean);
  return (
    `${isOverloaded ? 'OVERLOADED, latencies grow while it lasts: ' : ''}${range(throughput, number)} output tokens/s, ` +
    `TTFT ${range(ttftMs, milliseconds)}, TPOT ${range(tpotMs, milliseconds)}, ` +
    `goodput ${range(goodput, percent)}` +
    `${price === undefined ? '' : `, ${dollars(price)} per million output tokens`}.`
  );
}

function gainText({ throughput, ttft }: Gain): string {
  return `${range(throughput, change)} tokens/s, TTFT ${change(ttft.mean)}`;
}

function totalPrice(pricePerHour: number | undefined, engines: number): number | undefined {
  return pricePerHour === undefined ? undefined : pricePerHour * engines;
}

function capitalised(text: string): string {
  // vLLM is written so at the start of a line, too.
  return text.startsWith('vLLM') ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
