// Compares both schedulers on the measured points: the closed loop, which `spillway simulate
// points` uses, and the engine model. Prints the cost of each, their difference, and their errors.
//
//   node bench/truth/schedulers.ts [EVERY]
//
// EVERY runs only each n-th point. Equal points of different versions of vLLM are run once.
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../src/core/base/index.ts';
import {
  type ClosedLoopOptions,
  type ClosedLoopResult,
  closedLoop,
} from '../../src/core/simulation/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import {
  type PointRow,
  predictPoint,
  readAllPoints,
} from '../../src/tools/simulate-points/index.ts';
import { engineLoop } from '../../test/support/engine-loop.ts';

const blockTokens = 16;
/** Points below this TTFT are below saturation by measurement, as in `npm run bench:truth`. */
const saturatedTtftMs = 3000;
const saturatedShare = 0.1;
const every = Number(process.argv[2] ?? 1);

const rows = await readAllPoints(join(import.meta.dirname, '../data/vllm-measured-points.csv'));
// The engine model is driven without repeated prompts.
const plain = rows.filter(({ load }) => load.distinctPrompts === undefined);
const loops = distinctLoops(plain).filter((_, i) => i % every === 0);
const outputTokens = loops.reduce(
  (sum, { loop }) => sum + loop.requests * loop.outputTokens * 0.9,
  0,
);
console.log(
  `${rows.length} rows, ${loops.length} points, about ${(outputTokens / 1e6).toFixed(0)} million output tokens; ` +
    `Node ${process.version}, ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`,
);
const ours = played(closedLoop);
const theirs = played((loop) => engineLoop(loop, blockTokens));
console.log(`closed loop: ${ours.cpuSeconds.toFixed(2)} CPU s`);
console.log(`engine model: ${theirs.cpuSeconds.toFixed(2)} CPU s`);
for (const [name, of] of [
  ['TTFT', ({ meanTtftSeconds }: ClosedLoopResult) => meanTtftSeconds],
  ['TPOT', ({ meanTpotSeconds }: ClosedLoopResult) => meanTpotSeconds],
] as const) {
  const differences = ours.results
    .map((result, i) => Math.abs(of(result) / of(theirs.results[i] as ClosedLoopResult) - 1) * 100)
    .toSorted((a, b) => a - b);
  const [median, p90, max] = [50, 90, 100].map((q) =>
    percentile(Float64Array.from(differences), q).toFixed(2),
  );
  console.log(
    `${name} difference: median ${median} %, p90 ${p90} %, at most ${max} %; ` +
      `median |error| below the knee ${errorOf(ours.results, name)} % and ${errorOf(theirs.results, name)} %`,
  );
}
const differ = ours.results.filter(
  ({ waitedShare }, i) =>
    isSaturated(waitedShare) !== isSaturated(theirs.results[i]?.waitedShare ?? 0),
);
console.log(`points that are saturated for only one of them: ${differ.length}`);

function played(play: (loop: ClosedLoopOptions) => ClosedLoopResult) {
  const start = process.cpuUsage();
  const results = loops.map(({ loop }) => play(loop));
  const { user, system } = process.cpuUsage(start);
  return { results, cpuSeconds: (user + system) / 1e6 };
}

function isSaturated(waitedShare: number): boolean {
  return waitedShare >= saturatedShare;
}

function errorOf(results: readonly ClosedLoopResult[], which: 'TTFT' | 'TPOT'): string {
  const errors = results.flatMap(({ meanTtftSeconds, meanTpotSeconds }, i) => {
    const { point } = loops[i] as (typeof loops)[number];
    const { measuredTtftMs = NaN, measuredTpotMs = NaN } = point;
    const isBelow = !isSaturated(ours.results[i]?.waitedShare ?? 0);
    if (!isBelow || !(measuredTtftMs < saturatedTtftMs)) return [];
    const ratio =
      which === 'TTFT'
        ? (meanTtftSeconds * 1000) / measuredTtftMs
        : (meanTpotSeconds * 1000) / measuredTpotMs;
    return [Math.abs(ratio - 1) * 100];
  });
  return percentile(Float64Array.from(errors).sort(), 50).toFixed(2);
}

/** Returns the load of each distinct point for a scheduler. */
function distinctLoops(points: readonly PointRow[]) {
  const found = new Map<string, { readonly point: PointRow; readonly loop: ClosedLoopOptions }>();
  for (const point of points) {
    const { row, group, measuredTtftMs, measuredTpotMs, ...asked } = point;
    const key = JSON.stringify(asked);
    if (found.has(key)) continue;
    try {
      predictPoint(point, undefined, undefined, (loop) => {
        found.set(key, { point, loop });
        return { meanTtftSeconds: 0, meanTpotSeconds: 0, waitedShare: 0 };
      });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return [...found.values()];
}
