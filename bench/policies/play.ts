// One cell with one seed: every contender on the same traffic.
import { simulateFleet } from '../../src/core/simulation/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import type { Cell } from './cells.ts';
import { contender } from './contenders.ts';
import { floorSeconds } from './floor.ts';

export interface Job {
  readonly cell: string;
  readonly routers: number;
  readonly seed: number;
  readonly requests: number;
  readonly policies: readonly string[];
}

export interface Score {
  readonly cell: string;
  readonly routers: number;
  readonly seed: number;
  /** A policy's name, or `floor`. */
  readonly policy: string;
  readonly ttftP90Seconds: number;
  /** Share of the requests whose answer was good; NaN for the floor. */
  readonly goodput: number;
  readonly hitRate: number;
}

export const floorName = 'floor';
/** Share of the requests at the front that only fill the caches. */
export const warmupShare = 0.25;

export async function play(cell: Cell, job: Job): Promise<Score[]> {
  const { seed, routers } = job;
  const traffic = await cell.traffic(job);
  const engines = cell.engines();
  const { length } = traffic.requests;
  const first = Math.floor(warmupShare * length);
  const p90 = (seconds: Float64Array) => percentile(seconds.subarray(first).toSorted(), 90);
  const about = { cell: cell.name, routers, seed };
  const floor: Score = {
    ...about,
    policy: floorName,
    ttftP90Seconds: p90(floorSeconds(traffic, engines)),
    ...{ goodput: Number.NaN, hitRate: Number.NaN },
  };
  const scores = job.policies.map((policy): Score => {
    const result = simulateFleet({
      ...{ requests: traffic.requests, traceBlockTokens: traffic.blockTokens },
      ...{ engines, routers, seed, ...contender(policy, traffic, engines) },
    });
    const good = traffic.requests.filter(({ outputTokens }, i) => {
      const ttft = result.ttftSeconds[i] as number;
      const later = (result.e2eSeconds[i] as number) - ttft;
      const tpot = outputTokens > 1 ? later / (outputTokens - 1) : 0;
      return i >= first && ttft <= cell.ttftSeconds && tpot <= cell.tpotSeconds;
    });
    return {
      ...about,
      policy,
      ttftP90Seconds: p90(result.ttftSeconds),
      goodput: good.length / (length - first),
      hitRate: result.hitRate,
    };
  });
  return [floor, ...scores];
}
