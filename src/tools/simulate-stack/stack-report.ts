// A simulated stack as a table for people and as JSON.
import { serveSummaryJson } from '../../core/stats/index.ts';
import type { Values } from '../../core/values/index.ts';
import type { LengthStats, WorkloadStats } from '../../core/workload/index.ts';
import {
  latencyTable,
  percent,
  tokens,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';
import { handoffJson, handoffLines } from './pool-report.ts';
import { routersOf, type StackRun } from './stack.ts';
import type { StackEngine } from './stack-engines.ts';

/** The run in the keys of `vllm bench serve`; what those do not know under `spillway`. */
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
      refused: run.refused,
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

/** Share of the KV blocks that requests hold, over time and engines. */
function meanKvUsage({ result }: StackRun): number {
  const all = result.series.flatMap(({ kvUsage }) => kvUsage);
  return all.length === 0 ? 0 : all.reduce((sum, usage) => sum + usage, 0) / all.length;
}

/** Where the tokens of the prompts came from. */
export function shares({ result }: StackRun) {
  const prompt = result.promptTokens.reduce((sum, tokens) => sum + tokens, 0);
  const external = result.engines.reduce(
    // What was handed over is no hit of a cache.
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
    output_tokens: done?.outputTokens,
    preemptions: done?.preemptions,
    utilization: done?.utilization,
    tiers: done?.tiers ?? null,
  };
}

export function stackTable(run: StackRun): string {
  const { result, report, engines } = run;
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
  const rows = result.engines.map((engine, i) => [
    engines[i]?.name ?? String(i),
    ...[engine.requests, engine.computedTokens, engine.cachedTokens].map(String),
    ...[engine.externalTokens, engine.outputTokens, engine.preemptions].map(String),
    percent(engine.utilization),
  ]);
  const width = Math.max(10, ...engines.map(({ name }) => name.length));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(width) : cell.padStart(12))).join('');
  return [
    verdictLine(run),
    ...warnings(run),
    ...stackLines(run),
    ...handoffLines(run),
    ...workloadLines(run),
    latencyTable(report).trimEnd(),
    ...goodLines(run),
    [head, ...rows].map(line).join('\n'),
    ...restoredLines(run),
    '',
  ].join('\n');
}

/** Empty without tiers or preemptions. */
export function restoredLines({ result }: StackRun): string[] {
  const restored = result.engines.reduce((sum, engine) => sum + engine.restoredTokens, 0);
  if (restored === 0) return [];
  return [
    `After preemptions ${tokens(restored)} tokens came back from tiers instead of being computed again; they are no tier hits, which are those of prompts.`,
  ];
}

/** Empty without limits. */
export function goodLines({ report, options }: StackRun): string[] {
  if (report.good === undefined) return [];
  const { ttftMs, tpotMs, e2eMs } = options.limits ?? {};
  const named = [
    ...(ttftMs === undefined ? [] : [`TTFT ≤ ${ttftMs} ms`]),
    ...(tpotMs === undefined ? [] : [`TPOT ≤ ${tpotMs} ms`]),
    ...(e2eMs === undefined ? [] : [`E2E ≤ ${e2eMs} ms`]),
  ];
  return [
    `goodput ${(report.good / report.durationSeconds).toFixed(2)} requests/s: ${percent(report.good / report.completed)} of the answers with ${named.join(', ')}`,
  ];
}

/** What must not be overlooked. */
export function warnings(run: StackRun): string[] {
  const { workload, offeredRate, result, refused } = run;
  const lines = verdictWarnings(run, run.report);
  // Of what chance alone makes of a mean rate, three standard deviations are not worth a word.
  const chance = 3 / Math.sqrt(workload.requests);
  const { rate } = workload;
  if (offeredRate !== undefined && rate !== undefined && rate < (1 - chance) * offeredRate) {
    lines.push(
      `Clients sent ${rate.toFixed(2)} requests/s of the ${offeredRate.toFixed(2)} that they meant to: they wait for answers, so a slow system gets less.`,
    );
  }
  if (refused > 0) {
    lines.push(`${refused} requests are longer than the engines' context and were refused.`);
  }
  const lost = result.failed.reduce((sum, one) => sum + one, 0) - refused;
  if (lost > 0 || result.retries > 0) {
    lines.push(`${lost} requests were lost with an engine, ${result.retries} went elsewhere.`);
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
    [gpusOf(rest), gpu.name, model.name, kvTokens, offload ?? 'no offload'].join('|'),
  );
  const lines = [...groups.values()].map((group) => {
    const [engine] = group;
    if (engine === undefined) return '';
    const { gpu, model, kvTokens, offload } = engine;
    const size = gpusOf(engine);
    const gpus = size === 1 ? gpu.name : `(${size} × ${gpu.name})`;
    return `${group.length} × ${gpus}, ${model.name}, KV cache ${tokens(kvTokens)} tokens; ${offload ?? 'no offload'}`;
  });
  const { hit_rate, external_hit_rate } = shares(run);
  return [
    ...lines,
    `${routedBy(options.values)}: hit rate ${percent(hit_rate)}, of it ${percent(external_hit_rate)} from tiers; max/mean computed ${result.spread.toFixed(2)}`,
  ];
}

function routedBy(values: Values): string {
  const { routers, sharesAttempts } = routersOf(values);
  const policy = values.routerSpec.routingLogic;
  if (routers === 1) return policy;
  const knowing = sharesAttempts
    ? 'that tell each other what they send'
    : 'that know their own only';
  return `${policy} in ${routers} routers ${knowing}`;
}

/** What the generator, or the trace, came to. */
export function workloadLines({ workload, clients }: StackRun): string[] {
  const lengths = ({ mean, p50, p90, p99, max }: LengthStats) =>
    `mean ${tokens(mean)}, p50 ${tokens(p50)}, p90 ${tokens(p90)}, p99 ${tokens(p99)}, max ${tokens(max)}`;
  return [
    `workload: ${workload.requests} requests of ${workload.sessions} sessions, ${pace(workload, clients)}`,
    `  prompt tokens ${lengths(workload.prompt)}`,
    `  answer tokens ${lengths(workload.answer)}`,
    `  ${percent(workload.reusableShare)} of the prompts' tokens were there before; working set ${tokens(workload.workingSetTokens)} tokens`,
  ];
}

/** When requests are sent; what clients send when an answer has come is the engines' pace, not the workload's. */
function pace({ rate, gapCv }: WorkloadStats, clients: number | undefined): string {
  if (clients !== undefined)
    return `each of ${clients} clients sends one when its last is answered`;
  if (rate === undefined || gapCv === undefined) return 'all at once';
  return `${rate.toFixed(2)}/s, gap CV ${gapCv.toFixed(2)}`;
}
