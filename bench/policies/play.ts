// Simulates one cell with one seed: every contender on the same traffic.
import { type SimulatedRequest, simulateFleet } from '../../src/core/simulation/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import type { Cell, StepCost } from './cells.ts';
import { contender } from './contenders.ts';
import { floorSeconds } from './floor.ts';

export interface Job {
  readonly cell: string;
  readonly routers: number;
  readonly seed: number;
  readonly requests: number;
  readonly policies: readonly string[];
  readonly stepCost: StepCost;
}

export interface Score {
  readonly cell: string;
  readonly routers: number;
  readonly seed: number;
  /** A policy's name, or `floor`. */
  readonly policy: string;
  readonly ttftP90Seconds: number;
  /** Share of the requests with a good response; NaN for the floor. */
  readonly goodput: number;
  readonly hitRate: number;
  /** From arrival to the last token; NaN for the floor, like the next two. */
  readonly e2eMeanSeconds: number;
  readonly e2eP90Seconds: number;
  /** Mean over the requests with at least two output tokens. */
  readonly tpotMeanSeconds: number;
}

export const floorName = 'floor';
/** Share of the requests at the start that only fill the caches, unless the cell says otherwise. */
export const warmupShare = 0.25;

export async function play(cell: Cell, job: Job): Promise<Score[]> {
  const { seed, routers } = job;
  const traffic = await cell.traffic(job);
  const newEngines = () => cell.engines(job.stepCost, seed);
  const { length } = traffic.requests;
  const first = Math.floor((cell.warmupShare ?? warmupShare) * length);
  const p90 = (seconds: Float64Array) => percentile(seconds.subarray(first).toSorted(), 90);
  const about = { cell: cell.name, routers, seed };
  const floor: Score = {
    ...about,
    policy: floorName,
    ttftP90Seconds: p90(floorSeconds(traffic, newEngines())),
    ...{ goodput: Number.NaN, hitRate: Number.NaN },
    ...{ e2eMeanSeconds: Number.NaN, e2eP90Seconds: Number.NaN, tpotMeanSeconds: Number.NaN },
  };
  const scores = job.policies.map((policy): Score => {
    const engines = newEngines();
    const result = simulateFleet({
      ...{ requests: traffic.requests, traceBlockTokens: traffic.blockTokens },
      ...{ engines, routers, seed, ...contender(policy, traffic, engines) },
    });
    let good = 0;
    const tpots: number[] = [];
    for (let i = first; i < length; i++) {
      const { outputTokens } = traffic.requests[i] as SimulatedRequest;
      const ttft = result.ttftSeconds[i] as number;
      const later = (result.e2eSeconds[i] as number) - ttft;
      const tpot = outputTokens > 1 ? later / (outputTokens - 1) : 0;
      if (outputTokens > 1) tpots.push(tpot);
      if (ttft <= cell.ttftSeconds && tpot <= cell.tpotSeconds) good += 1;
    }
    return {
      ...about,
      policy,
      ttftP90Seconds: p90(result.ttftSeconds),
      goodput: good / (length - first),
      hitRate: result.hitRate,
      e2eMeanSeconds: mean(result.e2eSeconds.subarray(first)),
      e2eP90Seconds: p90(result.e2eSeconds),
      tpotMeanSeconds: mean(tpots),
    };
  });
  return [floor, ...scores];
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}
