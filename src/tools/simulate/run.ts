// `spillway simulate --trace … --profile … --engine-args …`: one vLLM server as it was started,
// with measured step times, under a trace.
import { basename } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  defaultEngineConfig,
  defaultHostSecondsPerStep,
  type EngineConfig,
  findGpu,
  findModel,
  type GpuSpec,
  type HostConstants,
  hostConstants,
  kvBlocks,
  type ModelSpec,
  profileCost,
  rooflineCost,
  type SchedulerDefaults,
  schedulerDefaults,
} from '../../core/engine/index.ts';
import { type RunResult, recordOf, replayRun } from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, serveSummaryJson } from '../../core/stats/index.ts';
import { readProfileDirectory } from '../../io/profile/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { type EngineArgs, readEngineArgs } from './engine-args.ts';

export interface SimulatedRunOptions {
  readonly trace: string;
  /** Step tables; undefined: the roofline of the GPU. */
  readonly profile?: string | undefined;
  /** A `meta.json`. */
  readonly engineArgs: string;
  /** Takes the place of the count that is recorded or computed. */
  readonly numGpuBlocks?: number | undefined;
  /** Catalogue name; found from the recorded device or the profile's name unless given. */
  readonly gpu?: string | undefined;
  /** Each takes the place of the constant that ships for the GPU. */
  readonly hostSecondsPerStep?: number | undefined;
  readonly allReduceLatencySeconds?: number | undefined;
  readonly allReduceBytesPerSecond?: number | undefined;
  readonly percentiles: readonly number[];
}

/** A run, and what it was predicted with. */
export interface SimulatedRun {
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
  const args = await readEngineArgs(options.engineArgs);
  const { tensorParallelSize, dataParallelSize, blockSize } = args;
  const model = modelOf(args);
  const gpu = gpuOf(options, args);
  const { config, blocksSource } = configOf(options, args, model, gpu);
  const trace = await loadTrace(options.trace, { blockTokens: blockSize });
  const host = hostOf(options, gpu, tensorParallelSize);
  const { hostSecondsPerStep, link } = host;
  const weights = args.weightBytesPerValue;
  const cost =
    options.profile === undefined
      ? rooflineCost({
          ...{ model, gpu, tensorParallelSize, hostSecondsPerStep, link },
          ...(weights === undefined ? {} : { weightBytesPerValue: weights }),
        })
      : profileCost({
          profile: await profileOf(options.profile, model),
          model,
          hostSecondsPerStep,
          link,
        });
  const result = replayRun({ trace, config, cost, dataParallelSize });
  const records = result.timings.map((timing) => recordOf(timing, 'queued'));
  const starts = records.map(({ sentSeconds }) => sentSeconds);
  const ends = records.map(({ chunkSeconds }) => chunkSeconds.at(-1) as number);
  const durationSeconds = Math.max(...ends) - Math.min(...starts);
  const { percentiles } = options;
  const report = reportOf(records, { durationSeconds, percentiles, limits: {} });
  return { args, gpu, config, blocksSource, host, result, report, notes: notesOn(args, model) };
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
      notes: run.notes,
    },
  };
}

async function profileOf(directory: string, model: ModelSpec) {
  const profile = await readProfileDirectory(directory);
  if (model.experts === undefined || profile.experts !== undefined) return profile;
  throw new InputError(
    `The profile ${directory} has no moe.csv, and ${model.name} is a mixture of experts: it is of ` +
      'another model.',
  );
}

function modelOf({ model: name, kvBytesPerValue }: EngineArgs): ModelSpec {
  const model = findModel(name);
  return kvBytesPerValue === undefined ? model : { ...model, kvBytesPerValue };
}

/** The flag, else the recorded device, else the profile's name: `RTX4090_Llama-3.1-8B_tp1`. */
function gpuOf(options: SimulatedRunOptions, args: EngineArgs): GpuSpec {
  const name =
    options.gpu ?? args.deviceName ?? (options.profile && basename(options.profile).split('_')[0]);
  if (name === undefined || name === '') {
    throw new InputError(
      `${options.engineArgs} does not name the GPU (hardware.device_name) and there is no ` +
        'profile; give --gpu.',
    );
  }
  const gpu = findGpu(name);
  const memoryBytes = options.gpu === undefined ? args.deviceMemoryBytes : undefined;
  return memoryBytes === undefined ? gpu : { ...gpu, memoryBytes };
}

function configOf(
  { numGpuBlocks }: SimulatedRunOptions,
  args: EngineArgs,
  model: ModelSpec,
  gpu: GpuSpec,
): Pick<SimulatedRun, 'config' | 'blocksSource'> {
  const { blockSize, tensorParallelSize, gpuMemoryUtilization, enablePrefixCaching } = args;
  const defaults: SchedulerDefaults = schedulerDefaults({
    memoryBytes: gpu.memoryBytes,
    isA100: gpu.isA100,
  });
  const limits = {
    blockSize,
    maxNumSeqs: args.maxNumSeqs ?? defaults.maxNumSeqs,
    maxNumBatchedTokens: args.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens,
  };
  const weights = args.weightBytesPerValue;
  const memory = args.kvCacheMemoryBytes;
  const blocks =
    numGpuBlocks ??
    args.numGpuBlocks ??
    kvBlocks(
      {
        ...{ model, gpu, tensorParallelSize, gpuMemoryUtilization },
        ...(weights === undefined ? {} : { weightBytesPerValue: weights }),
        ...(memory === undefined ? {} : { kvCacheMemoryBytes: memory }),
      },
      limits,
    );
  const poolTokens = (blocks - 1) * blockSize;
  const config = defaultEngineConfig({
    ...limits,
    enablePrefixCaching,
    numGpuBlocks: blocks,
    maxModelLen: args.maxModelLen ?? Math.min(model.contextTokensMax, poolTokens),
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
    link: shipped.link && {
      latencySeconds: options.allReduceLatencySeconds ?? shipped.link.latencySeconds,
      bytesPerSecond: options.allReduceBytesPerSecond ?? shipped.link.bytesPerSecond,
    },
  };
}

function notesOn(args: EngineArgs, model: ModelSpec): string[] {
  const { dataParallelSize, expertParallel } = args;
  if (model.experts === undefined || (dataParallelSize === 1 && !expertParallel)) return [];
  return [
    'Data and expert parallel mixtures of experts run their cores in step in vLLM; here each core ' +
      'steps by itself and holds all experts.',
  ];
}
