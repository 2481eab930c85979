// `spillway simulate --trace … --profile … --engine-args …`: one vLLM server with its recorded arguments and
// measured step times, playing a trace.

import { counted, InputError } from '../../core/base/index.ts';
import {
  type EngineConfig,
  findGpu,
  findModel,
  type GpuSpec,
  type HostConstants,
  type LockstepCostModel,
  type ModelSpec,
} from '../../core/engine/index.ts';
import { sizingSettings } from '../../core/layout/index.ts';
import { type RunResult, recordOf, replayRun, type Timing } from '../../core/simulation/index.ts';
import {
  dtypeNotes,
  type EngineSpec,
  engineShape,
  lockstepCost,
  profileHost,
  type SizedEngine,
  type StepCostSource,
  sizeEngine,
} from '../../core/sizing/index.ts';
import { reportOf, type ServeReport, serveSummaryJson } from '../../core/stats/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readLockstepCost, readStepCostSource } from '../../io/profile/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import {
  latencyTable,
  redundantPrefillJson,
  redundantPrefillLines,
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';
import type { EngineArgs } from './engine-args.ts';

export interface SimulatedRunOptions {
  readonly trace: string;
  /** Unit of its timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  /** Step tables, or a file of `spillway calibrate`; undefined: `stepCost`. */
  readonly profile?: string | undefined;
  /** Without a profile. @default 'calibrated' */
  readonly stepCost?: StepCostSource | undefined;
  /** A `meta.json`. */
  readonly engineArgs: string;
  /** Overrides the recorded or computed number of blocks. */
  readonly numGpuBlocks?: number | undefined;
  /** Name in the catalogue or a YAML file. @default from the recorded device or the profile's name */
  readonly gpu?: string | undefined;
  /** Name in the catalogue or a folder with config.json. @default the recorded one */
  readonly model?: string | undefined;
  /** Each overrides the built-in constant of the GPU. */
  readonly hostSecondsPerStep?: number | undefined;
  readonly allReduceLatencySeconds?: number | undefined;
  readonly allReduceBytesPerSecond?: number | undefined;
  readonly percentiles: readonly number[];
}

/** A run, and the inputs of its prediction. */
export interface SimulatedRun extends Stability {
  readonly args: EngineArgs;
  readonly gpu: GpuSpec;
  readonly config: EngineConfig;
  /** Source of the number of KV blocks. */
  readonly blocksSource: 'flag' | 'recorded' | 'computed';
  readonly host: HostConstants;
  readonly result: RunResult;
  /** Latencies count from the engine's queue, as vLLM's own timestamps do. */
  readonly report: ServeReport;
  /** One sentence for each part of this engine that the model ignores. */
  readonly notes: readonly string[];
}

/**
 * Predicts a run of vLLM. No constant is fitted here: step times come from the profile, host times from
 * `hostConstants`.
 *
 * @throws {InputError} If a file is invalid, or the GPU or the model is not in the catalogue.
 */
export async function simulateRun(options: SimulatedRunOptions): Promise<SimulatedRun> {
  // Loaded here because a fleet does not need the library that checks the file, a third of its imports.
  const { readEngineArgs } = await import('./engine-args.ts');
  const args = await readEngineArgs(options.engineArgs);
  const model = options.model === undefined ? findModel(args.model) : readModelSpec(options.model);
  const notes: string[] = [...args.notes, ...notesOn(args, model)];
  const gpu =
    options.gpu === undefined ? gpuOf(options, args, notes) : await readGpuSpec(options.gpu);
  const spec = specOf(options, args, model, gpu);
  const { stepCost, notes: profileNotes } = await readStepCostSource(options.profile, spec);
  const engine = sizeEngine({ ...spec, stepCost });
  const { config, cost, host } = engine;
  notes.push(...contextNotes(args, spec, engine), ...dtypeNotes(engine), ...profileNotes);
  // The ids of a recorded run identify blocks of the engine.
  const trace = await loadTrace(options.trace, {
    ...{ likelyBlockTokens: args.settings.blockSize, timeUnit: options.traceUnit },
  });
  const { dataParallelSize = 1 } = args.settings;
  const lockstep = await lockstepOf(options, args, spec);
  const result = await interruptible(() =>
    replayRun({ trace, config, cost, dataParallelSize, lockstep }),
  );
  const records = result.timings.map((timing) => recordOf(timing, 'queued'));
  const starts = records.map(({ sentSeconds }) => sentSeconds);
  const ends = records.map(({ chunkSeconds }) => chunkSeconds.at(-1) as number);
  const durationSeconds = Math.max(...ends) - Math.min(...starts);
  const { percentiles } = options;
  const report = reportOf(records, { durationSeconds, percentiles, limits: {} });
  const { utilization } = result;
  return {
    ...{ args, gpu, config, host, result, report, notes },
    blocksSource: blocksSourceOf(options, args),
    ...stabilityOf({ ...waitingOf(result.timings), utilization }),
  };
}

/** Returns the run in the keys of `vllm bench serve`; figures without a key there are under `spillway`. */
export function simulatedRunJson(run: SimulatedRun): Record<string, unknown> {
  const { args, gpu, config, host, result, report } = run;
  return {
    backend: 'spillway-simulate',
    model_id: args.model,
    num_prompts: result.timings.length,
    request_rate: report.offeredRate ?? null,
    max_concurrency: null,
    ...serveSummaryJson(report),
    verdict: run.verdict,
    utilization: run.utilization,
    spillway: {
      gpu: gpu.name,
      tensor_parallel_size: args.settings.tensorParallelSize ?? 1,
      data_parallel_size: args.settings.dataParallelSize ?? 1,
      num_gpu_blocks: config.numGpuBlocks,
      num_gpu_blocks_source: run.blocksSource,
      max_num_seqs: config.maxNumSeqs,
      max_num_batched_tokens: config.maxNumBatchedTokens,
      max_model_len: config.maxModelLen,
      host_ms_per_step: host.hostSecondsPerStep * 1000,
      all_reduce_latency_us: host.link === undefined ? null : host.link.latencySeconds * 1e6,
      all_reduce_gb_per_second: host.link === undefined ? null : host.link.bytesPerSecond / 1e9,
      steps: result.steps,
      preemptions: result.preemptions,
      recomputed_tokens: redundantPrefillJson([prefillOf(run)]),
      cached_tokens: report.cachedTokens,
      backlog_growth: run.growth,
      notes: [...verdictWarnings(run, report), ...run.notes],
    },
  };
}

export function simulatedRunTable(run: SimulatedRun): string {
  const { args, gpu, config, result } = run;
  const { tensorParallelSize = 1 } = args.settings;
  const gpus = tensorParallelSize === 1 ? '' : `${tensorParallelSize} × `;
  return [
    verdictLine(run),
    ...verdictWarnings(run, run.report),
    ...run.notes,
    `${args.model} on ${gpus}${gpu.name}: ${config.numGpuBlocks} KV blocks (${run.blocksSource}), ${counted(result.steps, 'step')}, ${counted(result.preemptions, 'preemption')}`,
    latencyTable(run.report),
    ...redundantPrefillLines([prefillOf(run)]).map((line) => `${line}\n`),
  ].join('\n');
}

/** Returns what the cores of the server computed; all responses of a replayed run are complete. */
function prefillOf({ result, report }: SimulatedRun) {
  const { recomputedAfterPreemption, recomputedAfterEviction } = result;
  const computedTokens = report.inputTokens - report.cachedTokens;
  return { computedTokens, recomputedAfterPreemption, recomputedAfterEviction };
}

/** Returns the number of requests without a first token at each arrival, that request included. */
function waitingOf(timings: readonly Timing[]) {
  const arrivalSeconds = timings.map((timing) => timing.arrivalSeconds);
  const firstTokens = timings.map(({ tokenSeconds }) => tokenSeconds[0] as number).sort(ascending);
  let answered = 0;
  const waitingAtArrival = arrivalSeconds.map((now, i) => {
    while ((firstTokens[answered] ?? Number.POSITIVE_INFINITY) <= now) answered++;
    return i + 1 - answered;
  });
  return { arrivalSeconds, waitingAtArrival };
}

const ascending = (a: number, b: number) => a - b;

/**
 * The recorded device, else a word of the profile's path, such as `RTX4090_Llama-3.1-8B_tp1` or
 * `RTX4090/…/tp1`. With a profile and its memory, a GPU that the catalogue lacks will do: only what
 * the profile does not hold is then a guess.
 */
function gpuOf(options: SimulatedRunOptions, args: EngineArgs, notes: string[]): GpuSpec {
  const memoryBytes = args.deviceMemoryBytes;
  const words = options.profile?.split(/[/\\]/).flatMap((part) => [part, part.split('_')[0] ?? '']);
  const given = [args.deviceName, ...(words ?? []).toReversed()].filter(
    (name): name is string => name !== undefined && name !== '',
  );
  for (const name of given) {
    const gpu = knownGpu(name);
    if (gpu) return memoryBytes === undefined ? gpu : { ...gpu, memoryBytes };
  }
  const [first] = given;
  if (first === undefined) {
    throw new InputError(
      `${options.engineArgs} does not name the GPU (hardware.device_name) and there is no ` +
        'profile; give --gpu.',
    );
  }
  const blocksKnown = memoryBytes ?? args.numGpuBlocks ?? options.numGpuBlocks;
  if (options.profile === undefined || blocksKnown === undefined) {
    if (args.deviceName !== undefined) return findGpu(args.deviceName);
    throw new InputError(
      `${options.engineArgs} does not name the GPU (hardware.device_name), and neither does the profile's path ${options.profile}; give --gpu.`,
    );
  }
  notes.push(
    `The GPU "${args.deviceName ?? first}" is not in the catalogue: host time, link and what the ` +
      'profile lacks are those of an L40S.',
  );
  const { memoryBytes: like, ...rest } = findGpu('L40S');
  return { ...rest, name: args.deviceName ?? first, memoryBytes: memoryBytes ?? like };
}

function knownGpu(name: string): GpuSpec | undefined {
  try {
    return findGpu(name);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** The server as it was started: it ran, even if a new one would be refused. */
function specOf(
  options: SimulatedRunOptions,
  args: EngineArgs,
  model: ModelSpec,
  gpu: GpuSpec,
): EngineSpec {
  return {
    ...sizingSettings(args.settings),
    ...{ model, gpu },
    numGpuBlocks: options.numGpuBlocks ?? args.numGpuBlocks,
    ...{ allowsLongContext: true, fitsContext: true },
    stepCost: options.stepCost,
    host: options,
  };
}

function contextNotes(
  { settings: { maxModelLen: given } }: EngineArgs,
  { numGpuBlocks }: EngineSpec,
  { kvTokens }: SizedEngine,
): string[] {
  if (typeof given !== 'number' || given <= kvTokens) return [];
  return [
    numGpuBlocks === undefined
      ? `The computed KV cache of ${kvTokens} tokens is smaller than max_model_len ${given}, with ` +
        'which vLLM would not start; taken as max_model_len.'
      : `The KV cache of ${kvTokens} tokens is smaller than max_model_len ${given}; taken as ` +
        'max_model_len.',
  ];
}

function blocksSourceOf(
  { numGpuBlocks }: SimulatedRunOptions,
  args: EngineArgs,
): SimulatedRun['blocksSource'] {
  if (numGpuBlocks !== undefined) return 'flag';
  return args.numGpuBlocks === undefined ? 'computed' : 'recorded';
}

/** vLLM synchronises the steps of the data-parallel cores of a mixture of experts: they share the experts. */
async function lockstepOf(
  { profile }: SimulatedRunOptions,
  { settings }: EngineArgs,
  spec: EngineSpec,
): Promise<LockstepCostModel | undefined> {
  const { dataParallelSize: cores = 1, enableExpertParallel: expertParallel = false } = settings;
  if (profile === undefined) return lockstepCost(spec);
  if (cores === 1 || spec.model.experts === undefined) return undefined;
  const shape = engineShape(spec);
  const host = profileHost(shape, spec.host);
  return readLockstepCost(profile, { ...shape, cores, expertParallel }, host);
}

function notesOn({ settings }: EngineArgs, model: ModelSpec): string[] {
  const { dataParallelSize = 1, pipelineParallelSize = 1, enableExpertParallel } = settings;
  if (model.experts === undefined) return [];
  if (dataParallelSize > 1 && pipelineParallelSize > 1) {
    return ['Pipeline stages of cores that share experts are ignored.'];
  }
  return enableExpertParallel && dataParallelSize === 1
    ? [
        'Expert parallelism within tensor parallelism is assumed to cost the same as slices of each expert.',
      ]
    : [];
}
