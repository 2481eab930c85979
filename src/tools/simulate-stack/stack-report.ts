// A simulated stack as a text table and as JSON.
import { counted } from '../../core/base/index.ts';
import { steadyFrom } from '../../core/capacity/index.ts';
import { serveSummaryJson } from '../../core/stats/index.ts';
import type { Values } from '../../core/values/index.ts';
import type { LengthStats, WorkloadStats } from '../../core/workload/index.ts';
import { count, percent, textTable } from '../report/index.ts';
import {
  latencyTable,
  redundantPrefillJson,
  redundantPrefillLines,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';
import { handoffJson, handoffLines } from './pool-report.ts';
import { routersOf, type StackRun } from './stack.ts';
import type { StackEngine } from './stack-engine.ts';

/** Returns the run in the keys of `vllm bench serve`; figures without a key there are under `spillway`. */
export function stackJson(run: StackRun): Record<string, unknown> {
  const { options, result, report, engines } = run;
  const [first] = engines;
  return {
    backend: 'spillway-simulate',
    model_id: first?.model.name,
    num_prompts: result.arrivalSeconds.length,
    request_rate: run.offeredRate ?? report.offeredRate ?? null,
    max_concurrency: run.clients ?? null,
    ...serveSummaryJson(report),
    failed: result.arrivalSeconds.length - report.completed,
    verdict: run.verdict,
    utilization: run.utilization,
    ...shares(run),
    max_over_mean_computed: result.spread,
    spillway: {
      policy: options.values.routerSpec.routingLogic,
      routers: routersOf(options.values).routers,
      seed: options.seed,
      speed: options.speed,
      backlog_growth: run.growth,
      preemptions: result.preemptions,
      recomputed_tokens: redundantPrefillJson(result.engines),
      refused: run.refused,
      rejected: result.rejected,
      retries: result.retries,
      gpus: engines.reduce((sum, engine) => sum + gpusOf(engine), 0),
      mean_kv_usage: meanKvUsage(run),
      disaggregation: handoffJson(run),
      hbm_kv_tokens: engines.reduce((sum, { kvTokens }) => sum + kvTokens, 0),
      workload: workloadJson(run),
      engines: engines.map((_, i) => engineJson(run, i)),
      notes: run.notes,
    },
  };
}

/** Returns the mean share of KV blocks in use by requests, over time and engines. */
function meanKvUsage({ result }: StackRun): number {
  const all = result.series.flatMap(({ kvUsage }) => kvUsage);
  return all.length === 0 ? 0 : all.reduce((sum, usage) => sum + usage, 0) / all.length;
}

/** Returns the shares of prompt tokens that were found in caches. */
export function shares({ result }: StackRun) {
  const prompt = result.promptTokens.reduce((sum, tokens) => sum + tokens, 0);
  const external = result.engines.reduce(
    // KV that was transferred to decode is not a cache hit.
    (sum, { role, externalTokens }) => sum + (role === 'decode' ? 0 : externalTokens),
    0,
  );
  return {
    hit_rate: result.hitRate,
    hbm_hit_rate: result.hitRate - external / prompt,
    external_hit_rate: external / prompt,
  };
}

function workloadJson({ workload, offeredRate }: StackRun) {
  return {
    requests: workload.requests,
    sessions: workload.sessions,
    span_seconds: workload.spanSeconds,
    rate: workload.rate ?? null,
    offered_rate: offeredRate ?? null,
    gap_cv: workload.gapCv ?? null,
    prompt_tokens: workload.prompt,
    output_tokens: workload.answer,
    reusable_share: workload.reusableShare,
    working_set_tokens: workload.workingSetTokens,
  };
}

function engineJson({ engines, result }: StackRun, index: number) {
  const engine = engines[index];
  const done = result.engines[index];
  return {
    engine: engine?.name,
    ...(done?.role !== undefined && { pool: done.role }),
    gpu: engine?.gpu.name,
    tensor_parallel_size: engine?.tensorParallelSize,
    num_gpu_blocks: engine?.config.numGpuBlocks,
    block_size: engine?.config.blockSize,
    max_model_len: engine?.config.maxModelLen,
    offload: engine?.offload ?? null,
    requests: done?.requests,
    computed_tokens: done?.computedTokens,
    cached_tokens: done?.cachedTokens,
    external_tokens: done?.externalTokens,
    restored_tokens: done?.restoredTokens,
    recomputed_after_preemption_tokens: done?.recomputedAfterPreemption,
    recomputed_after_eviction_tokens: done?.recomputedAfterEviction,
    output_tokens: done?.outputTokens,
    preemptions: done?.preemptions,
    utilization: done?.utilization,
    tiers: done?.tiers ?? null,
  };
}

export function stackTable(run: StackRun): string {
  const head = [
    'engine',
    'requests',
    'computed',
    'HBM hits',
    run.pools ? 'KV read' : 'tier hits',
    'output',
    'preempted',
    'busy',
  ];
  const rows = namedResults(run).map((engine) => [
    engine.name,
    ...[engine.requests, engine.computedTokens, engine.cachedTokens].map(String),
    ...[engine.externalTokens, engine.outputTokens, engine.preemptions].map(String),
    percent(engine.utilization),
  ]);
  return [
    verdictLine(run),
    ...warnings(run),
    ...stackLines(run),
    ...handoffLines(run),
    ...workloadLines(run),
    latencyTable(run.report).trimEnd(),
    ...goodLines(run),
    textTable({ head, rows }, { gap: 1, widthsMin: [10, 11] }),
    ...restoredLines(run),
    ...redundantLines(run),
    '',
  ].join('\n');
}

/** Returns the result of each engine with its name. */
export function namedResults({ engines, result }: StackRun) {
  return result.engines.map((engine, i) => ({ ...engine, name: (engines[i] as StackEngine).name }));
}

/** Empty without tiers or preemptions. */
export function restoredLines({ result }: StackRun): string[] {
  const restored = result.engines.reduce((sum, engine) => sum + engine.restoredTokens, 0);
  if (restored === 0) return [];
  return [
    `After preemptions ${count(restored)} tokens were loaded from tiers instead of being recomputed; tier hits do not include them.`,
  ];
}

/** Empty if nothing was computed twice. */
export function redundantLines({ result }: StackRun): string[] {
  return redundantPrefillLines(result.engines);
}

/** Empty without limits. */
export function goodLines({ report, options }: StackRun): string[] {
  if (report.good === undefined) return [];
  const { limits } = options;
  const named = [
    { name: 'TTFT', ms: limits?.ttftMs },
    { name: 'TPOT', ms: limits?.tpotMs },
    { name: 'E2E', ms: limits?.e2eMs },
  ].flatMap(({ name, ms }) => (ms === undefined ? [] : [`${name} ≤ ${ms} ms`]));
  return [
    `goodput ${(report.good / report.durationSeconds).toFixed(2)} of ${(report.completed / report.durationSeconds).toFixed(2)} requests/s: ${percent(report.good / report.completed)} of the responses with ${named.join(', ')}`,
  ];
}

/** Returns what a reader must not overlook. */
export function warnings(run: StackRun): string[] {
  const { workload, offeredRate, result, refused } = run;
  const lines = verdictWarnings(run, run.report);
  // A mean rate within three standard deviations may be chance.
  const chance = 3 / Math.sqrt(workload.requests);
  // Requests that come all at once have no rate, and none of them is late.
  const { rate = Number.POSITIVE_INFINITY } = workload;
  if (offeredRate !== undefined && rate < (1 - chance) * offeredRate) {
    lines.push(
      `Clients sent ${rate.toFixed(2)} of ${offeredRate.toFixed(2)} intended requests/s: they wait for responses, so a slow system receives less load.`,
    );
  }
  if (refused > 0) {
    lines.push(
      `${counted(refused, 'request was', 'requests were')} refused as longer than the engines' context.`,
    );
  }
  if (result.rejected > 0) {
    lines.push(
      `${counted(result.rejected, 'request was', 'requests were')} rejected by admission (routerSpec.admission).`,
    );
  }
  const failed = result.failed.reduce((sum, one) => sum + one, 0);
  const lost = failed - refused - result.rejected;
  if (lost > 0 || result.retries > 0) {
    lines.push(
      `${counted(lost, 'request was', 'requests were')} lost with an engine, ${counted(result.retries, 'was', 'were')} retried on another.`,
    );
  }
  return [...lines, ...run.notes];
}

function gpusOf({
  tensorParallelSize,
  pipelineParallelSize,
}: Pick<StackEngine, 'tensorParallelSize' | 'pipelineParallelSize'>): number {
  return tensorParallelSize * pipelineParallelSize;
}

export function stackLines(run: StackRun): string[] {
  const { engines, options, result } = run;
  const groups = Map.groupBy(engines, ({ name, gpu, offload, kvTokens, model, ...rest }) =>
    [gpusOf(rest), gpu.name, model.name, kvTokens, offload].join('|'),
  );
  const lines = [...groups.values()].map((group) => {
    const [engine] = group;
    if (engine === undefined) return '';
    const { gpu, model, kvTokens, offload } = engine;
    const size = gpusOf(engine);
    const gpus = size === 1 ? gpu.name : `(${size} × ${gpu.name})`;
    return `${group.length} × ${gpus}, ${model.name}, KV cache ${count(kvTokens)} tokens; ${offload ?? 'no offload'}`;
  });
  const { hit_rate, external_hit_rate } = shares(run);
  return [
    ...lines,
    `${routedBy(options.values)}: hit rate ${percent(hit_rate)}, of which ${percent(external_hit_rate)} from tiers; max/mean computed ${result.spread.toFixed(2)}`,
  ];
}

function routedBy(values: Values): string {
  const { routers, sharesAttempts } = routersOf(values);
  const policy = values.routerSpec.routingLogic;
  if (routers === 1) return policy;
  const knowing = sharesAttempts
    ? 'that share what they send'
    : 'that only know their own requests';
  return `${policy} in ${routers} routers ${knowing}`;
}

/** Describes the traffic that was played. */
export function workloadLines(run: StackRun): string[] {
  const { workload, clients } = run;
  const lengths = ({ mean, p50, p90, p99, max }: LengthStats) =>
    `mean ${count(mean)}, p50 ${count(p50)}, p90 ${count(p90)}, p99 ${count(p99)}, max ${count(max)}`;
  return [
    `workload: ${counted(workload.requests, 'request')} of ${counted(workload.sessions, 'session')}, ${pace(workload, clients)}`,
    `  prompt tokens ${lengths(workload.prompt)}`,
    `  output tokens ${lengths(workload.answer)}`,
    `  ${percent(workload.reusableShare)} of prompt tokens appeared in earlier requests; working set ${count(workload.workingSetTokens)} tokens`,
    ...(clients === undefined ? [] : [startLine(run, clients)]),
  ];
}

/** Says how long the start of a closed loop lasts, whose latencies are part of the figures, as in `bench serve --users`. */
function startLine({ result, timings }: StackRun, clients: number): string {
  const { arrivalSeconds } = result;
  const last = arrivalSeconds[Math.min(clients, arrivalSeconds.length) - 1] ?? 0;
  const inOrder = timings.toSorted((a, b) => a.arrivalSeconds - b.arrivalSeconds);
  const first = steadyFrom(
    inOrder.map((timing) => (timing.tokenSeconds[0] ?? 0) - timing.arrivalSeconds),
  );
  const from = first === undefined ? undefined : inOrder[first]?.arrivalSeconds;
  const steady =
    from === undefined
      ? 'no steady state is found: latencies change to the end, or requests are too few to say'
      : `latencies are steady from ${from.toFixed(1)} s on, after ${counted(first ?? 0, 'request')}`;
  return `  clients start within ${(last - (arrivalSeconds[0] ?? 0)).toFixed(2)} s; ${steady}`;
}

/** Describes when requests are sent. In a closed loop the engines set the pace, not the workload. */
function pace({ rate, gapCv }: WorkloadStats, clients: number | undefined): string {
  if (clients !== undefined)
    return `each of ${clients} clients sends one when its previous response is complete`;
  if (rate === undefined || gapCv === undefined) return 'all at once';
  return `${rate.toFixed(2)}/s, gap CV ${gapCv.toFixed(2)}`;
}
