// What hedged requests give, and what they cost: time to first token on the Mooncake conversation trace, in virtual
// time, on fleets of which engines are slow or pause. Prints the page docs/results/hedging.md.
//
//   node bench/hedging.ts [--seeds 3] [--requests 3000]
import { seededRandom } from '../src/core/base/index.ts';
import type { StepCostModel } from '../src/core/engine/index.ts';
import {
  type FleetSimulationResult,
  fleetOf,
  type SimulatedEngine,
  simulateFleet,
  traceBlockTokens,
  withSessions,
} from '../src/core/simulation/index.ts';
import { estimate, percentile } from '../src/core/stats/index.ts';
import { machine } from './machine.ts';
import { mooncakeRuns, partOf } from './mooncake.ts';

const { numbers, seeds, trace } = await mooncakeRuns({ seeds: 3, requests: 3000 });
const requestCount = numbers.requests;
const engineCount = 4;
/** Longer prompts take seconds on any engine, and would hide what a pause does. */
const promptTokensMax = 8_000;
/** Factors of the arrival rate of these requests. */
const speeds = [2, 6];
const budgets = [0, 2, 5];
const policies = ['predictive', 'leastloaded', 'roundrobin'];
/** A step takes this much longer in a pause, which comes once in so many steps. */
const pauseSeconds = 5;
const pauseSteps = 4_000;
const slowFactor = 4;

const chats = trace.requests.filter(({ promptTokens }) => promptTokens <= promptTokensMax);
const healthy = fleetOf({ engines: engineCount });

type Trouble = (cost: StepCostModel, seed: number) => StepCostModel;

const pauses: Trouble = (cost, seed) => {
  const random = seededRandom(seed);
  return {
    stepSeconds: (load) =>
      cost.stepSeconds(load) + (random.next() * pauseSteps < 1 ? pauseSeconds : 0),
  };
};
const isSlow: Trouble = (cost) => ({ stepSeconds: (load) => slowFactor * cost.stepSeconds(load) });

/** What happens to how many of the engines. */
const fleets: readonly (readonly [string, Trouble | undefined, number])[] = [
  ['no engine in trouble', undefined, 0],
  [`one engine pauses for ${pauseSeconds} s now and then`, pauses, 1],
  ['all engines do', pauses, engineCount],
  [`one engine is ${slowFactor} times slower, all the time`, isSlow, 1],
];

function enginesOf(trouble: Trouble | undefined, count: number, seed: number): SimulatedEngine[] {
  return healthy.map((engine, i) =>
    trouble === undefined || i >= count
      ? engine
      : { ...engine, cost: trouble(engine.cost, seed * engineCount + i) },
  );
}

function play(
  seed: number,
  speed: number,
  fleet: (typeof fleets)[number],
  policy: string,
  budget: number,
): FleetSimulationResult {
  const part = partOf(chats, { seed, seedCount: seeds.length, count: requestCount });
  const requests = withSessions(
    part.map((one) => ({ ...one, arrivalSeconds: one.arrivalSeconds / speed })),
  );
  return simulateFleet({
    ...{ requests, policy, traceBlockTokens, seed, reportSeconds: 1 },
    engines: enginesOf(fleet[1], fleet[2], seed),
    hedging: { budget },
  });
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);
const computed = ({ engines }: FleetSimulationResult) =>
  sumOf(engines.map(({ computedTokens }) => computedTokens));

function row(speed: number, fleet: (typeof fleets)[number], policy: string, budget: number) {
  const runs = seeds.map((seed) => ({
    with_: play(seed, speed, fleet, policy, budget),
    without: budget === 0 ? undefined : play(seed, speed, fleet, policy, 0),
  }));
  const mean = (numberOf: (run: (typeof runs)[number]) => number, digits: number) =>
    estimate(runs.map(numberOf)).mean.toFixed(digits);
  const ttft = (q: number) => mean(({ with_ }) => percentile(with_.ttftSeconds.toSorted(), q), 2);
  const hedges = ({ with_ }: (typeof runs)[number]) => sumOf(Object.values(with_.hedges));
  const extra = (run: (typeof runs)[number]) =>
    run.without === undefined ? 0 : 100 * (computed(run.with_) / computed(run.without) - 1);
  const cells = [
    ...[50, 95, 99, 99.9].map(ttft),
    ...(budget === 0
      ? ['', '', '']
      : [
          mean((run) => (100 * hedges(run)) / requestCount, 1),
          mean((run) => (100 * run.with_.hedges.won) / Math.max(1, hedges(run)), 0),
          mean(extra, 1),
        ]),
  ];
  return `| \`${policy}\` | ${budget === 0 ? 'off' : `${budget} %`} | ${cells.join(' | ')} |`;
}

const head = `| policy | budget | p50 | p95 | p99 | p99.9 | hedges, % of requests | of them won, % | more prompt tokens, % |
|---|--:|--:|--:|--:|--:|--:|--:|--:|`;

process.stdout.write(`# Hedged requests, in virtual time

Time to first token in seconds, with and without \`--hedge-budget\`: ${engineCount} × H100, Qwen3-8B, ${requestCount.toLocaleString('en')} requests of the Mooncake
conversation trace with at most ${promptTokensMax.toLocaleString('en')} prompt tokens for each seed, another part of it each. Figures are means of ${seeds.length} seeds. A pause makes one step ${pauseSeconds} s longer,
once in ${pauseSteps.toLocaleString('en')} steps on average. *More prompt tokens* are those that engines began to compute, against the run without hedging.
Why it is as it is: [decision 0028](../decisions/0028-hedging.md).

\`\`\`
node bench/hedging.ts --seeds ${seeds.length} --requests ${requestCount} > docs/results/hedging.md
\`\`\`

Machine: ${machine()}. Virtual time: the machine does not change the figures.
`);
for (const fleet of fleets) {
  for (const speed of speeds) {
    const [what] = fleet;
    const title = `${what.replace(/^./, (first) => first.toUpperCase())}, ${speed} × the rate of the trace`;
    process.stdout.write(`\n## ${title}\n\n${head}\n`);
    for (const policy of policies) {
      for (const budget of budgets) process.stdout.write(`${row(speed, fleet, policy, budget)}\n`);
    }
  }
}
