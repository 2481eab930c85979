// `spillway simulate --trace … --engines N`: engine models behind the routing core that the router
// runs.
import { InputError, nearest } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  type GpuSpec,
  hostConstants,
  type ModelSpec,
  type TierStats,
} from '../../core/engine/index.ts';
import {
  checkEngineCount,
  type FleetEngineResult,
  type FleetSimulationResult,
  fleetOf,
  policyNamed,
  recordOf,
  simulatedPolicyNames,
  simulateFleet,
  type Timing,
  timingsOf,
  withSessions,
} from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, serveSummaryJson } from '../../core/stats/index.ts';
import { sliceTrace, type TraceRequest } from '../../core/traces/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readStepCost } from '../../io/profile/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import {
  latencyTable,
  percent,
  type Stability,
  stabilityOf,
  tokens,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';

export interface FleetRunOptions {
  readonly trace: string;
  readonly engines: number;
  /** Names of the catalogue, or files. */
  readonly gpu: string;
  readonly model: string;
  /** GPUs of an engine that share each layer; 1 unless given. */
  readonly tensorParallelSize?: number | undefined;
  /** Groups of such GPUs with a part of the layers each; 1 unless given. */
  readonly pipelineParallelSize?: number | undefined;
  /** Engine cores of each engine; the router picks among them. 1 unless given. */
  readonly dataParallelSize?: number | undefined;
  /** See `readStepCost`; undefined: the roofline of the GPU. */
  readonly profile?: string | undefined;
  /** Of the router or a peer: see `simulatedPolicyNames`. */
  readonly policy: string;
  /** Arrivals come this many times as fast. */
  readonly speed: number;
  /** Requests to play; undefined: all. */
  readonly requests?: number | undefined;
  readonly seed: number;
  /** Host memory of each engine for native KV offload; none unless given. */
  readonly hostBytes?: number | undefined;
  readonly percentiles: readonly number[];
  readonly onProgress?: ((finished: number, total: number) => void) | undefined;
}

export interface FleetRun extends Stability {
  readonly options: FleetRunOptions;
  readonly result: FleetSimulationResult;
  readonly timings: readonly Timing[];
  /** Latencies count from the arrival at the router. */
  readonly report: ServeReport;
  /** What was not measured but taken for it, one sentence each. */
  readonly notes: readonly string[];
}

/** @throws {InputError} If the trace is bad, or a name is not known. */
export async function simulateFleetRun(options: FleetRunOptions): Promise<FleetRun> {
  const { policy, speed, seed, percentiles } = options;
  const { tensorParallelSize, pipelineParallelSize, dataParallelSize = 1 } = options;
  checkEngineCount(options.engines * dataParallelSize);
  const [model, gpu] = [readModelSpec(options.model), await readGpuSpec(options.gpu)];
  if (!simulatedPolicyNames.includes(policy)) {
    const near = nearest(policy, simulatedPolicyNames);
    throw new InputError(
      `Policy "${policy}" is not known; ${near === undefined ? '' : `did you mean ${near}? `}known: ${simulatedPolicyNames.join(', ')}.`,
    );
  }
  const loaded = await loadTrace(options.trace, { requests: options.requests });
  const { blockTokens, requests } = sliceTrace(loaded, { speed });
  const longest = requests.reduce((most, r) => Math.max(most, r.promptTokens + r.outputTokens), 0);
  const { cost: stepCost, notes } = await costOf(options, model, gpu);
  const engines = fleetOf({
    ...{ engines: options.engines * dataParallelSize, model, gpu, blockTokens },
    ...{ tensorParallelSize, pipelineParallelSize, stepCost },
    maxModelLen: longest + 1,
    ...(options.hostBytes === undefined ? {} : { hostBytes: options.hostBytes }),
  });
  const result = simulateFleet({
    ...{ requests: withSessions(requests), engines, traceBlockTokens: blockTokens, seed },
    ...policyNamed(policy, engines),
    keepTokens: true,
    onProgress: (finished) => options.onProgress?.(finished, requests.length),
  });
  const timings = timingsOf(result);
  if (timings.length === 0) {
    throw new InputError(
      `No request was answered: all are longer than the ${engines[0]?.config.maxModelLen} tokens of KV cache that ${model.name} leaves on ${options.gpu}.`,
    );
  }
  const records = timings.map((timing) => recordOf(timing, 'arrival'));
  const durationSeconds = result.seconds;
  const busy = result.engines.reduce((sum, { utilization }) => sum + utilization, 0);
  const { waitingAtArrival } = result;
  const arrivalSeconds = requests.map((request) => request.arrivalSeconds);
  const utilization = busy / result.engines.length;
  return {
    ...{ options, result, timings },
    notes: [...notes, ...contextNotes(requests, model, engines[0]?.config.maxModelLen ?? longest)],
    ...stabilityOf({ waitingAtArrival, arrivalSeconds, utilization }),
    report: reportOf(records, { durationSeconds, percentiles, limits: {} }),
  };
}

/** What a server would refuse: here requests that fit are played, whatever the model was trained for. */
function contextNotes(
  requests: readonly TraceRequest[],
  { contextTokensMax }: ModelSpec,
  fittingTokens: number,
): string[] {
  const refused = requests.filter(({ promptTokens }) => promptTokens >= fittingTokens).length;
  const beyond = requests.filter(({ promptTokens, outputTokens }) => {
    return promptTokens < fittingTokens && promptTokens + outputTokens > contextTokensMax;
  }).length;
  return [
    ...(refused === 0
      ? []
      : [
          `${refused} requests are longer than the ${tokens(fittingTokens)} tokens that fit the KV cache, and were refused.`,
        ]),
    ...(beyond === 0
      ? []
      : [
          `${beyond} requests exceed the model's context of ${tokens(contextTokensMax)} tokens; they are played, where vLLM would refuse them.`,
        ]),
  ];
}

async function costOf(options: FleetRunOptions, model: ModelSpec, gpu: GpuSpec) {
  const { profile, tensorParallelSize = 1 } = options;
  if (profile === undefined) return { cost: undefined, notes: [] };
  const layout = { model, gpu, tensorParallelSize, weightBytesPerValue: bytesPerWeightOf(model) };
  return await readStepCost(profile, layout, hostConstants(gpu, tensorParallelSize));
}

/** The run in the keys of `vllm bench serve`; what those do not know under `spillway`. */
export function fleetRunJson(run: FleetRun): Record<string, unknown> {
  const { options, result, report } = run;
  return {
    backend: 'spillway-simulate',
    model_id: options.model,
    num_prompts: result.arrivalSeconds.length,
    request_rate: report.offeredRate ?? null,
    max_concurrency: null,
    ...serveSummaryJson(report),
    failed: result.arrivalSeconds.length - report.completed,
    verdict: run.verdict,
    utilization: run.utilization,
    hit_rate: result.hitRate,
    max_over_mean_computed: result.spread,
    spillway: {
      gpu: options.gpu,
      gpus: gpusOf(options),
      tensor_parallel_size: options.tensorParallelSize ?? 1,
      pipeline_parallel_size: options.pipelineParallelSize ?? 1,
      data_parallel_size: options.dataParallelSize ?? 1,
      policy: options.policy,
      speed: options.speed,
      seed: options.seed,
      backlog_growth: run.growth,
      preemptions: result.preemptions,
      refused: result.refused,
      notes: [...verdictWarnings(run, report), ...run.notes],
      engines: result.engines.map((engine, index) => ({
        engine: `engine-${index}`,
        requests: engine.requests,
        computed_tokens: engine.computedTokens,
        cached_tokens: engine.cachedTokens,
        ...(engine.tiers && tierJson(engine, engine.tiers)),
        output_tokens: engine.outputTokens,
        preemptions: engine.preemptions,
        utilization: engine.utilization,
      })),
    },
  };
}

function gpusOf({ engines, ...size }: FleetRunOptions): number {
  const { tensorParallelSize = 1, pipelineParallelSize = 1, dataParallelSize = 1 } = size;
  return engines * tensorParallelSize * pipelineParallelSize * dataParallelSize;
}

function enginesText(options: FleetRunOptions): string {
  const engines = options.engines * (options.dataParallelSize ?? 1);
  const each = gpusOf(options) / engines;
  return `${engines} × ${each === 1 ? options.gpu : `(${each} × ${options.gpu})`}`;
}

function tierJson(
  { externalTokens }: FleetEngineResult,
  { loads, stores, tiers, allocationFailures }: TierStats,
): Record<string, unknown> {
  return {
    external_tokens: externalTokens,
    kv_load_bytes: loads.bytes,
    kv_load_seconds: loads.seconds,
    kv_store_bytes: stores.bytes,
    kv_store_seconds: stores.seconds,
    kv_allocation_failures: allocationFailures,
    tiers: tiers.map(({ name, chunks, chunksMax, bytes }) => ({
      ...{ tier: name, chunks, capacity_chunks: chunksMax, bytes },
    })),
  };
}

export function fleetRunTable(run: FleetRun): string {
  const { options, result, report } = run;
  const hasTiers = options.hostBytes !== undefined;
  const head = ['engine', 'requests', 'computed', 'cached'];
  head.push(...(hasTiers ? ['from host'] : []), 'output', 'preempted', 'busy');
  const rows = result.engines.map((engine, i) => [
    String(i),
    ...[engine.requests, engine.computedTokens, engine.cachedTokens].map(String),
    ...(hasTiers ? [String(engine.externalTokens)] : []),
    ...[engine.outputTokens, engine.preemptions].map(String),
    percent(engine.utilization),
  ]);
  const line = (cells: readonly string[]) => cells.map((cell) => cell.padStart(11)).join('');
  return [
    verdictLine(run),
    ...verdictWarnings(run, report),
    ...run.notes,
    `${enginesText(options)}, ${options.model}, ${options.policy}: hit rate ${percent(result.hitRate)}, max/mean computed ${result.spread.toFixed(2)}`,
    latencyTable(report).trimEnd(),
    ...[head, ...rows].map(line),
    '',
  ].join('\n');
}
