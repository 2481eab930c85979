// How often `spillway compare` is wrong: simulated comparisons of equal servers, and of servers that differ by exactly
// the difference that the number of blocks was chosen for.
//
//   node bench/compare.ts [--runs 1000] [--seed 1]
//
// Latencies have heavy tails, follow each other within a block (queues), and share the noise of their block (a busy
// machine). Prints docs/results/compare.md's table.
import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../src/core/base/index.ts';
import {
  type Block,
  type BlockPair,
  blockOf,
  compareBlocks,
  pairsNeeded,
  type Verdict,
} from '../src/core/comparison/index.ts';

const { values: flags } = parseArgs({
  options: { runs: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const runs = Number(flags.runs);
const detect = 0.1;
const pilotPairs = 24;
/** Tests of a comparison: three latencies and the failures. */
const tests = 4;
/** No tolerance: it would hide false positives. */
const limits = { detect, tolerance: 0 };

interface Noise {
  readonly name: string;
  /** Standard deviation of the log of one latency. */
  readonly tail: number;
  /** Correlation of neighbours within a block. */
  readonly correlation: number;
  /** Standard deviation of the log of a whole block. */
  readonly block: number;
}

const noises: readonly Noise[] = [
  { name: 'quiet', tail: 0.3, correlation: 0, block: 0.02 },
  { name: 'heavy tails, queues', tail: 0.5, correlation: 0.5, block: 0.05 },
  { name: 'busy machine', tail: 0.3, correlation: 0.3, block: 0.1 },
];

console.log(
  '| noise | equal, 8 pairs: wrongly different | 12 pairs | 24 pairs | 10 % slower: found | pairs asked for |',
);
console.log('|---|---|---|---|---|---|');
for (const noise of noises) {
  const random = seededRandom(Number(flags.seed));
  const wrong = [8, 12, 24].map((pairs) =>
    percent(share(runs, () => isDifferent(verdictOf(noise, pairs, 1, random)))),
  );
  const asked: number[] = [];
  const found = share(runs, () => {
    const pairs = askedFor(noise, random);
    asked.push(pairs);
    return verdictOf(noise, pairs, 1 + detect, random) === 'worse';
  });
  const middle = asked.sort((a, b) => a - b)[Math.floor(runs / 2)];
  console.log(`| ${noise.name} | ${wrong.join(' | ')} | ${percent(found)} | ${middle} |`);
}

/** What a run of the largest default size asks for. */
function askedFor(noise: Noise, random: Random): number {
  const logs = pairsOf(noise, pilotPairs, 1, random).map(({ a, b }) =>
    Math.log((b.means.e2el as number) / (a.means.e2el as number)),
  );
  return pairsNeeded(logs, Math.log1p(detect), tests);
}

function verdictOf(noise: Noise, pairs: number, factor: number, random: Random): Verdict {
  return compareBlocks(pairsOf(noise, pairs, factor, random), limits, random).verdict;
}

function isDifferent(verdict: Verdict): boolean {
  return verdict === 'better' || verdict === 'worse';
}

function pairsOf(noise: Noise, count: number, factor: number, random: Random): BlockPair[] {
  return Array.from({ length: count }, () => ({
    a: noisyBlock(noise, 1, random),
    b: noisyBlock(noise, factor, random),
  }));
}

function noisyBlock(noise: Noise, factor: number, random: Random): Block {
  const block = noise.block * normal(random);
  let state = normal(random);
  const responses = Array.from({ length: 10 }, () => {
    const { correlation } = noise;
    state = correlation * state + Math.sqrt(1 - correlation ** 2) * normal(random);
    const slow = factor * Math.exp(block + noise.tail * state);
    const ttft = 0.1 * slow * Math.exp(0.3 * normal(random));
    const tpot = 0.01 * slow;
    return { ttft: 1000 * ttft, tpot: 1000 * tpot, e2el: 1000 * (ttft + 40 * tpot) };
  });
  return blockOf(responses, responses.length);
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

function share(count: number, happens: () => boolean): number {
  let times = 0;
  for (let i = 0; i < count; i++) if (happens()) times++;
  return times / count;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
