// `spillway simulate --trace … --profile … --engine-args …`: one vLLM server as it was started,
// with measured step times, under a trace.
import { InputError } from '../../core/base/index.ts';
import {
  type AllReduceLink,
  bytesPerWeightOf,
  checkHeadsShared,
  defaultEngineConfig,
  defaultHostSecondsPerStep,
  type EngineConfig,
  type EngineLayout,
  findGpu,
  findModel,
  type GpuSpec,
  type HostConstants,
  hostConstants,
  kvBlocks,
  type LockstepCostModel,
  type ModelSpec,
  pipelinedCost,
  precisionNamed,
  rooflineCost,
  type SchedulerDefaults,
  type StepCostModel,
  schedulerDefaults,
  summedLockstep,
} from '../../core/engine/index.ts';
import { type RunResult, recordOf, replayRun, type Timing } from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, serveSummaryJson } from '../../core/stats/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { readLockstepCost, readStepCost } from '../../io/profile/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import {
  latencyTable,
  type Stability,
  stabilityOf,
  verdictLine,
  verdictWarnings,
} from '../simulate-report/index.ts';
import type { EngineArgs } from './engine-args.ts';

export interface SimulatedRunOptions {
  readonly trace: string;
  /** Step tables, or a file of `spillway calibrate`; undefined: the roofline of the GPU. */
  readonly profile?: string | undefined;
  /** A `meta.json`. */
  readonly engineArgs: string;
  /** Takes the place of the count that is recorded or computed. */
  readonly numGpuBlocks?: number | undefined;
  /** Catalogue name or a YAML file; found from the recorded device or the profile's name unless given. */
  readonly gpu?: string | undefined;
  /** Name of the catalogue or folder with config.json; the one that was recorded unless given. */
  readonly model?: string | undefined;
  /** Each takes the place of the constant that ships for the GPU. */
  readonly hostSecondsPerStep?: number | undefined;
  readonly allReduceLatencySeconds?: number | undefined;
  readonly allReduceBytesPerSecond?: number | undefined;
  readonly percentiles: readonly number[];
}

/** A run, and what it was predicted with. */
export interface SimulatedRun extends Stability {
  readonly args: EngineArgs;
  readonly gpu: GpuSpec;
  readonly config: EngineConfig;
  /** Where the count of KV blocks comes from. */
  readonly blocksSource: 'flag' | 'recorded' | 'computed';
  readonly host: HostConstants;
  readonly result: RunResult;
  /** Latencies count from the engine's queue, as vLLM's own timestamps do. */
  readonly report: ServeReport;
  /** What the model leaves out of this engine, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Predicts a run of vLLM. No constant is fitted here: step times come from the profile, what the
 * host adds from `hostConstants`.
 *
 * @throws {InputError} If a file is bad, or the GPU or the model is not in the catalogue.
 */
export async function simulateRun(options: SimulatedRunOptions): Promise<SimulatedRun> {
  // The library that checks the file is a third of what a fleet would load for nothing.
  const { readEngineArgs } = await import('./engine-args.ts');
  const args = await readEngineArgs(options.engineArgs);
  const { tensorParallelSize, pipelineParallelSize: stages, dataParallelSize } = args;
  const model = await modelOf(options, args);
  checkHeadsShared(model, tensorParallelSize);
  const notes: string[] = [...args.notes, ...notesOn(args, model)];
  const gpu =
    options.gpu === undefined ? gpuOf(options, args, notes) : await readGpuSpec(options.gpu);
  const { config, blocksSource } = configOf(options, args, model, gpu, notes);
  // The ids of a recorded run are of the engine's blocks.
  const trace = await loadTrace(options.trace, { likelyBlockTokens: args.blockSize });
  const host = hostOf(options, gpu, tensorParallelSize);
  const weightBytesPerValue = weightBytesOf(args, model);
  const layout = { model, gpu, tensorParallelSize, weightBytesPerValue };
  let stepCost: StepCostModel;
  if (options.profile === undefined) {
    stepCost = rooflineCost({ ...layout, ...host });
  } else {
    const read = await readStepCost(options.profile, layout, host);
    notes.push(...read.notes);
    stepCost = read.cost;
  }
  const linkBytesPerSecond = gpu.link.bytesPerSecond;
  const cost = pipelinedCost(stepCost, { stages, model, linkBytesPerSecond });
  const lockstep = await lockstepOf(options, args, layout, host);
  const result = replayRun({ trace, config, cost, dataParallelSize, lockstep });
  const records = result.timings.map((timing) => recordOf(timing, 'queued'));
  const starts = records.map(({ sentSeconds }) => sentSeconds);
  const ends = records.map(({ chunkSeconds }) => chunkSeconds.at(-1) as number);
  const durationSeconds = Math.max(...ends) - Math.min(...starts);
  const { percentiles } = options;
  const report = reportOf(records, { durationSeconds, percentiles, limits: {} });
  const { utilization } = result;
  return {
    ...{ args, gpu, config, blocksSource, host, result, report, notes },
    ...stabilityOf({ ...waitingOf(result.timings), utilization }),
  };
}

/** The run in the keys of `vllm bench serve`; what those do not know under `spillway`. */
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
      tensor_parallel_size: args.tensorParallelSize,
      data_parallel_size: args.dataParallelSize,
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
      cached_tokens: report.cachedTokens,
      backlog_growth: run.growth,
      notes: [...verdictWarnings(run, report), ...run.notes],
    },
  };
}

export function simulatedRunTable(run: SimulatedRun): string {
  const { args, gpu, config, result } = run;
  const gpus = args.tensorParallelSize === 1 ? '' : `${args.tensorParallelSize} × `;
  return [
    verdictLine(run),
    ...verdictWarnings(run, run.report),
    ...run.notes,
    `${args.model} on ${gpus}${gpu.name}: ${config.numGpuBlocks} KV blocks (${run.blocksSource}), ${result.steps} steps, ${result.preemptions} preemptions`,
    latencyTable(run.report),
  ].join('\n');
}

/** Requests without a first token as each arrived; itself included. */
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

async function modelOf(
  { model: given }: SimulatedRunOptions,
  { model: name, kvBytesPerValue }: EngineArgs,
): Promise<ModelSpec> {
  // A recorded path is one of the machine that recorded it: only its last part tells something.
  const model = given === undefined ? findModel(name) : readModelSpec(given);
  return kvBytesPerValue === undefined ? model : { ...model, kvBytesPerValue };
}

/** A quantization wins over --dtype, which is that of what is not quantized. */
function weightBytesOf({ quantization, dtypeBytes }: EngineArgs, model: ModelSpec): number {
  const isPlain = model.weightPrecision === undefined && precisionNamed(quantization) === undefined;
  return (isPlain ? dtypeBytes : undefined) ?? bytesPerWeightOf(model, quantization);
}

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

function configOf(
  { numGpuBlocks }: SimulatedRunOptions,
  args: EngineArgs,
  model: ModelSpec,
  gpu: GpuSpec,
  notes: string[],
): Pick<SimulatedRun, 'config' | 'blocksSource'> {
  const { blockSize, tensorParallelSize, gpuMemoryUtilization, enablePrefixCaching } = args;
  const { pipelineParallelSize } = args;
  const defaults: SchedulerDefaults = schedulerDefaults({
    memoryBytes: gpu.memoryBytes,
    isA100: gpu.isA100,
  });
  const given = args.maxModelLen ?? model.contextTokensMax;
  // Without chunks vLLM's own budget grows with the longest prompt.
  const budget =
    args.enableChunkedPrefill === false
      ? Math.max(defaults.maxNumBatchedTokens, given)
      : defaults.maxNumBatchedTokens;
  const limits = {
    blockSize,
    maxNumSeqs: args.maxNumSeqs ?? defaults.maxNumSeqs,
    maxNumBatchedTokens: args.maxNumBatchedTokens ?? budget,
  };
  const memory = args.kvCacheMemoryBytes;
  const blocksGiven = numGpuBlocks ?? args.numGpuBlocks;
  const blocks =
    blocksGiven ??
    kvBlocks(
      {
        ...{ model, gpu, tensorParallelSize, pipelineParallelSize, gpuMemoryUtilization },
        weightBytesPerValue: weightBytesOf(args, model),
        ...(sharesExperts(args, model) && { expertCores: args.dataParallelSize }),
        ...(memory === undefined ? {} : { kvCacheMemoryBytes: memory }),
      },
      limits,
    );
  const poolTokens = (blocks - 1) * blockSize;
  const maxModelLen = Math.min(given, poolTokens);
  if (args.maxModelLen !== undefined && given > poolTokens) {
    notes.push(
      blocksGiven === undefined
        ? `The computed KV cache of ${poolTokens} tokens is smaller than max_model_len ${given}, with ` +
            'which vLLM would not start; taken as max_model_len.'
        : `The KV cache of ${poolTokens} tokens is smaller than max_model_len ${given}; taken as ` +
            'max_model_len.',
    );
  }
  const config = defaultEngineConfig({
    ...limits,
    enablePrefixCaching,
    numGpuBlocks: blocks,
    maxModelLen,
    // A batch's budget, of as many batches as there are stages.
    maxNumBatchedTokens: limits.maxNumBatchedTokens * pipelineParallelSize,
    ...(args.enableChunkedPrefill === undefined
      ? {}
      : { enableChunkedPrefill: args.enableChunkedPrefill }),
    ...(args.schedulingPolicy && { schedulingPolicy: args.schedulingPolicy }),
    ...(args.longPrefillTokenThreshold && {
      longPrefillTokenThreshold: args.longPrefillTokenThreshold,
    }),
  });
  const blocksSource =
    numGpuBlocks !== undefined ? 'flag' : args.numGpuBlocks === undefined ? 'computed' : 'recorded';
  return { config, blocksSource };
}

function hostOf(
  options: SimulatedRunOptions,
  gpu: GpuSpec,
  tensorParallelSize: number,
): HostConstants {
  const shipped = hostConstants(gpu, tensorParallelSize);
  return {
    // The roofline is fitted with its own host time.
    hostSecondsPerStep:
      options.hostSecondsPerStep ??
      (options.profile === undefined ? defaultHostSecondsPerStep : shipped.hostSecondsPerStep),
    link: shipped.link && givenLink(options, shipped.link),
  };
}

/** A flag for either part takes the place of a measured table. */
function givenLink(options: SimulatedRunOptions, shipped: AllReduceLink): AllReduceLink {
  const { allReduceLatencySeconds: latency, allReduceBytesPerSecond: rate } = options;
  if (latency === undefined && rate === undefined) return shipped;
  return {
    latencySeconds: latency ?? shipped.latencySeconds,
    bytesPerSecond: rate ?? shipped.bytesPerSecond,
  };
}

/** vLLM keeps the data-parallel cores of a mixture of experts in step: they share the experts. */
function sharesExperts({ dataParallelSize }: EngineArgs, { experts }: ModelSpec): boolean {
  return dataParallelSize > 1 && experts !== undefined;
}

async function lockstepOf(
  { profile }: SimulatedRunOptions,
  args: EngineArgs,
  layout: EngineLayout,
  host: HostConstants,
): Promise<LockstepCostModel | undefined> {
  if (!sharesExperts(args, layout.model)) return undefined;
  const { dataParallelSize: cores, expertParallel } = args;
  if (profile !== undefined) {
    return readLockstepCost(profile, { ...layout, cores, expertParallel }, host);
  }
  const { hostSecondsPerStep } = host;
  return summedLockstep(
    rooflineCost({ ...layout, hostSecondsPerStep, attentionDataParallelSize: cores }),
  );
}

function notesOn(args: EngineArgs, model: ModelSpec): string[] {
  const { dataParallelSize, pipelineParallelSize, expertParallel } = args;
  if (model.experts === undefined) return [];
  if (dataParallelSize > 1 && pipelineParallelSize > 1) {
    return ['Pipeline stages of cores that share experts are left out.'];
  }
  return expertParallel && dataParallelSize === 1
    ? ['Expert parallel within tensor parallel costs here what slices of each expert cost.']
    : [];
}
