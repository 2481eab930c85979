// Compares the results of `spillway simulate` with recorded runs of a real vLLM.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reportOf, type ServeReport } from '../../src/core/stats/index.ts';
import { type SimulatedRun, simulateRun } from '../../src/tools/simulate-engine/index.ts';
import { readRecordedRun } from './run.ts';

/** A recorded run: its files, and the allowed error of the prediction. */
export interface TruthCase {
  readonly name: string;
  readonly trace: string;
  readonly engineArgs: string;
  readonly profile: string;
  readonly gpu: string;
  /** Maximum error of a mean. */
  readonly errorMax: number;
}

/**
 * Returns the runs of a folder: each `GPU-….meta.json` with the requests in the same folder and its
 * profile.
 */
export function truthCases(directory: string): TruthCase[] {
  const profiles = readdirSync(join(directory, 'profile'));
  return readdirSync(directory)
    .filter((file) => file.endsWith('.meta.json'))
    .sort()
    .map((file) => {
      const name = file.replace('.meta.json', '');
      // rtx4090-llama31-8b and RTX4090_Llama-3.1-8B_tp1 belong to the same GPU.
      const gpu = name.slice(0, name.indexOf('-'));
      const profile = profiles.find((folder) => folder.toLowerCase().startsWith(`${gpu}_`));
      if (profile === undefined) throw new Error(`${directory}/profile has none of ${gpu}`);
      return {
        name,
        trace: join(directory, `${name}.jsonl.gz`),
        engineArgs: join(directory, file),
        gpu,
        profile: join(directory, 'profile', profile),
        errorMax: 0.05,
      };
    });
}

export interface Comparison {
  readonly truthCase: TruthCase;
  readonly run: SimulatedRun;
  readonly predicted: ServeReport;
  readonly real: ServeReport;
}

const percentiles = [50, 90];

/** @param options Flags of `spillway simulate`; `profile: undefined` for the roofline. */
export async function compareRun(
  truthCase: TruthCase,
  options: Partial<Parameters<typeof simulateRun>[0]> = {},
): Promise<Comparison> {
  const { trace, engineArgs, profile } = truthCase;
  const run = await simulateRun({ trace, engineArgs, profile, percentiles, ...options });
  const records = readRecordedRun(trace);
  const start = Math.min(...records.map(({ sentSeconds }) => sentSeconds));
  const end = Math.max(...records.map(({ chunkSeconds }) => chunkSeconds.at(-1) as number));
  const real = reportOf(records, { durationSeconds: end - start, percentiles, limits: {} });
  return { truthCase, run, predicted: run.report, real };
}

/** Output tokens per second. */
export function outputRate({ outputTokens, durationSeconds }: ServeReport): number {
  return outputTokens / durationSeconds;
}

/** Relative errors of the means that have targets. */
export function meanErrors({
  predicted,
  real,
}: Comparison): Record<'ttft' | 'tpot' | 'e2e' | 'rate', number> {
  const mean = (name: 'ttft' | 'tpot' | 'e2el') =>
    (predicted.fromSent[name]?.mean ?? NaN) / (real.fromSent[name]?.mean ?? NaN) - 1;
  return {
    ttft: mean('ttft'),
    tpot: mean('tpot'),
    e2e: mean('e2el'),
    rate: outputRate(predicted) / outputRate(real) - 1,
  };
}
