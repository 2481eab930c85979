// Compares the engine model with recorded runs of a real vLLM.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AllReduceLink,
  defaultEngineConfig,
  type EngineConfig,
  findGpu,
  findModel,
  kvBlocks,
  profileCost,
  rooflineCost,
} from '../../src/core/engine/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import { readProfileDirectory } from '../../src/io/profile/index.ts';
import { type ReplayResult, replayRun, type Timing } from './replay.ts';
import { type RecordedRun, readRecordedRun } from './run.ts';

/** A recorded run, and the two constants of its host that no profile of a GPU holds. */
export interface TruthCase {
  readonly run: RecordedRun;
  readonly gpu: string;
  readonly hostSecondsPerStep: number;
  /** For tensor parallelism: start and rate of an all-reduce. */
  readonly link: AllReduceLink | undefined;
  /** Most that a mean may be off. */
  readonly errorMax: number;
}

/** Per machine; where they come from: docs/models/engine-model.md, "Two constants of the host". */
const hosts: Readonly<Record<string, { hostSecondsPerStep: number; link?: AllReduceLink }>> = {
  rtx4090: { hostSecondsPerStep: 0 },
  rtxpro6000: {
    hostSecondsPerStep: 1.5e-3,
    link: { latencySeconds: 25e-6, bytesPerSecond: 15e9 },
  },
};

/** The runs of a folder: each `GPU-….meta.json` with its requests beside it. */
export function truthCases(directory: string): TruthCase[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.meta.json'))
    .sort()
    .map((file) => {
      const run = readRecordedRun(directory, file.replace('.meta.json', ''));
      const gpu = run.name.slice(0, run.name.indexOf('-'));
      const host = hosts[gpu] ?? { hostSecondsPerStep: 0 };
      const parallel = run.tensorParallelSize > 1;
      return {
        run,
        gpu,
        hostSecondsPerStep: host.hostSecondsPerStep,
        link: parallel ? host.link : undefined,
        errorMax: parallel ? 0.1 : 0.03,
      };
    });
}

export interface Summary {
  readonly ttftMs: Percentiles;
  readonly tpotMs: Percentiles;
  readonly e2eMs: Percentiles;
  readonly outputTokensPerSecond: number;
}

export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
}

export interface Comparison {
  readonly truthCase: TruthCase;
  readonly config: EngineConfig;
  readonly result: ReplayResult;
  readonly predicted: Summary;
  readonly real: Summary;
}

/**
 * @param directory Folder of the recorded runs.
 * @param stepTimes From the measured profile unless `roofline` is asked for.
 */
export async function compareRun(
  directory: string,
  truthCase: TruthCase,
  stepTimes: 'profile' | 'roofline' = 'profile',
): Promise<Comparison> {
  const { run, gpu, hostSecondsPerStep, link } = truthCase;
  const { maxNumSeqs, maxNumBatchedTokens, tensorParallelSize } = run;
  const model = findModel(run.model);
  const limits = { blockSize: 16, maxNumSeqs, maxNumBatchedTokens };
  const config = defaultEngineConfig({
    ...limits,
    // vLLM 0.19 defaulted to 0.9 of the GPU's memory.
    numGpuBlocks:
      run.numGpuBlocks ??
      kvBlocks({ model, gpu: findGpu(gpu), tensorParallelSize, gpuMemoryUtilization: 0.9 }, limits),
    maxModelLen: run.maxModelLen ?? model.contextTokensMax,
  });
  const cost =
    stepTimes === 'roofline'
      ? rooflineCost({ model, gpu: findGpu(gpu), tensorParallelSize, link })
      : profileCost({
          profile: await readProfileDirectory(profileDirectory(directory, truthCase)),
          model,
          hostSecondsPerStep,
          link,
        });
  const result = replayRun(run.requests, config, cost);
  return {
    truthCase,
    config,
    result,
    predicted: summarize(result.timings),
    real: summarize(run.requests),
  };
}

function profileDirectory(directory: string, { run, gpu }: TruthCase): string {
  const shortName = run.model.slice(run.model.indexOf('/') + 1);
  return join(
    directory,
    'profile',
    `${gpu.toUpperCase()}_${shortName}_tp${run.tensorParallelSize}`,
  );
}

/** Relative errors of the three means that the targets are about. */
export function meanErrors({
  predicted,
  real,
}: Comparison): Record<'ttft' | 'tpot' | 'e2e', number> {
  return {
    ttft: predicted.ttftMs.mean / real.ttftMs.mean - 1,
    tpot: predicted.tpotMs.mean / real.tpotMs.mean - 1,
    e2e: predicted.e2eMs.mean / real.e2eMs.mean - 1,
  };
}

function summarize(timings: readonly Timing[]): Summary {
  const milliseconds = (of: (timing: Timing) => number, sample = timings) =>
    percentiles(sample.map((timing) => of(timing) * 1000));
  const start = Math.min(...timings.map(({ queuedSeconds }) => queuedSeconds));
  const end = Math.max(...timings.map(({ lastTokenSeconds }) => lastTokenSeconds));
  return {
    ttftMs: milliseconds((t) => t.firstTokenSeconds - t.queuedSeconds),
    tpotMs: milliseconds(
      (t) => (t.lastTokenSeconds - t.firstTokenSeconds) / (t.outputTokens - 1),
      timings.filter(({ outputTokens }) => outputTokens > 1),
    ),
    e2eMs: milliseconds((t) => t.lastTokenSeconds - t.queuedSeconds),
    outputTokensPerSecond:
      timings.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / (end - start),
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, p50: percentile(sorted, 50), p90: percentile(sorted, 90) };
}
