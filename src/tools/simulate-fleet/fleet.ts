// `spillway simulate --trace … --engines N`: engine models behind the routing core of the router.

import type { AdmissionSettings } from '../../core/attempts/index.ts';
import { counted, InputError, nearest } from '../../core/base/index.ts';
import type { ModelSpec, TierStats } from '../../core/engine/index.ts';
import type { ParameterValues } from '../../core/routing/index.ts';
import {
  checkEngineCount,
  type FleetEngineResult,
  type FleetSimulationResult,
  fleetOf,
  policyNamed,
  recordOf,
  simulatedAdmission,
  simulatedPolicyNames,
  simulateFleet,
  type Timing,
  timingsOf,
  withSessions,
} from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, serveSummaryJson } from '../../core/stats/index.ts';
import { sliceTrace, type TimeUnit, type TraceRequest } from '../../core/traces/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readStepCostSource } from '../../io/profile/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { count, percent, textTable } from '../report/index.ts';
import {
  latencyTable,
  redundantPrefillJson,
  redundantPrefillLines,
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';

export interface FleetRunOptions {
  readonly trace: string;
  /** Unit of its timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  readonly engines: number;
  /** Name in the catalogue, or a file. */
  readonly gpu: string;
  readonly model: string;
  /** Number of GPUs of an engine that share each layer. @default 1 */
  readonly tensorParallelSize?: number | undefined;
  /** Number of groups of such GPUs, each with a part of the layers. @default 1 */
  readonly pipelineParallelSize?: number | undefined;
  /** Number of engine cores per engine; the router picks among them. @default 1 */
  readonly dataParallelSize?: number | undefined;
  /** See `readStepCostSource`; undefined: the calibrated roofline. */
  readonly profile?: string | undefined;
  /** Policy of the router or of another project: see `simulatedPolicyNames`. */
  readonly policy: string;
  /** Values of the policy's parameters by name. */
  readonly policyParameters?: ParameterValues | undefined;
  /** Factor by which arrivals are faster. */
  readonly speed: number;
  /** Maximum number of requests to play; undefined for all. */
  readonly requests?: number | undefined;
  readonly seed: number;
  /** Host memory of each engine for native KV offload. @default none */
  readonly hostBytes?: number | undefined;
  /** The router's admission queue. @default none */
  readonly admission?: AdmissionSettings | undefined;
  readonly percentiles: readonly number[];
  readonly onProgress?: ((finished: number, total: number) => void) | undefined;
}

export interface FleetRun extends Stability {
  readonly options: FleetRunOptions;
  readonly result: FleetSimulationResult;
  readonly timings: readonly Timing[];
  /** Latencies count from the arrival at the router. */
  readonly report: ServeReport;
  /** One sentence for each assumption in place of a measurement. */
  readonly notes: readonly string[];
}

/** @throws {InputError} If the trace is invalid, or a name is unknown. */
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
  const loaded = await loadTrace(options.trace, {
    ...{ requests: options.requests, timeUnit: options.traceUnit },
  });
  const { blockTokens, requests } = sliceTrace(loaded, { speed });
  const longest = requests.reduce((most, r) => Math.max(most, r.promptTokens + r.outputTokens), 0);
  const { stepCost, notes } = await readStepCostSource(options.profile, {
    ...{ model, gpu, tensorParallelSize },
  });
  const sized = fleetOf({
    ...{ engines: options.engines * dataParallelSize, model, gpu, blockTokens },
    ...{ tensorParallelSize, pipelineParallelSize, dataParallelSize, stepCost },
    maxModelLen: longest + 1,
    ...(options.hostBytes === undefined ? {} : { hostBytes: options.hostBytes }),
  });
  const engines = sized.map((engine) => ({ ...engine, countsEvicted: true }));
  const result = await interruptible(() =>
    simulateFleet({
      ...{ requests: withSessions(requests), engines, traceBlockTokens: blockTokens, seed },
      ...policyNamed(policy, engines),
      policyParameters: options.policyParameters,
      admission: options.admission && simulatedAdmission(options.admission),
      keepTokens: true,
      onProgress: (finished) => options.onProgress?.(finished, requests.length),
    }),
  );
  const timings = timingsOf(result);
  if (timings.length === 0) {
    throw new InputError(
      `No request was served: all are longer than the ${engines[0]?.config.maxModelLen} tokens of KV cache that ${model.name} leaves on ${options.gpu}.`,
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
    notes: [
      ...notes,
      ...rejectionNotes(result),
      ...contextNotes(requests, model, engines[0]?.config.maxModelLen ?? longest),
    ],
    ...stabilityOf({
      ...{ waitingAtArrival, arrivalSeconds, utilization },
      rejected: result.rejected,
    }),
    report: reportOf(records, { durationSeconds, percentiles, limits: {} }),
  };
}

function rejectionNotes({ rejected }: FleetSimulationResult): string[] {
  return rejected === 0
    ? []
    : [`${counted(rejected, 'request was', 'requests were')} rejected by admission.`];
}

/** Returns a note on requests that a server would refuse: those that fit are played, even beyond the model's context. */
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
          `${counted(refused, 'request was', 'requests were')} refused as longer than the ${count(fittingTokens)} tokens that fit the KV cache.`,
        ]),
    ...(beyond === 0
      ? []
      : [
          `${counted(beyond, 'request exceeds', 'requests exceed')} the model's context of ${count(contextTokensMax)} tokens; the simulation serves ${beyond === 1 ? 'it' : 'them'}, although vLLM would refuse ${beyond === 1 ? 'it' : 'them'}.`,
        ]),
  ];
}

/** Returns the run in the keys of `vllm bench serve`; figures without a key there are under `spillway`. */
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
      recomputed_tokens: redundantPrefillJson(result.engines),
      refused: result.refused,
      rejected: result.rejected,
      notes: [...verdictWarnings(run, report), ...run.notes],
      engines: result.engines.map((engine, index) => ({
        engine: `engine-${index}`,
        requests: engine.requests,
        computed_tokens: engine.computedTokens,
        cached_tokens: engine.cachedTokens,
        ...(engine.tiers && tierJson(engine, engine.tiers)),
        recomputed_after_preemption_tokens: engine.recomputedAfterPreemption,
        recomputed_after_eviction_tokens: engine.recomputedAfterEviction,
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
  return [
    verdictLine(run),
    ...verdictWarnings(run, report),
    ...run.notes,
    `${enginesText(options)}, ${options.model}, ${options.policy}: hit rate ${percent(result.hitRate)}, max/mean computed ${result.spread.toFixed(2)}`,
    latencyTable(report).trimEnd(),
    textTable({ head, rows }, { isLeft: () => false, gap: 1, widthsMin: [11, 10] }),
    ...redundantPrefillLines(result.engines),
    '',
  ].join('\n');
}
