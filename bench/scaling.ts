// How many engines, and for whom: the built-in scaler beside Kubernetes' rule and fixed fleets, on the Mooncake conversation
// trace in virtual time. Prints the page docs/results/scaling.md.
//
//   node bench/scaling.ts [--seeds 3] [--startup 120]
import {
  type FleetReading,
  horizontalPodAutoscaler,
  type Scaler,
  ServiceLevelScaler,
} from '../src/core/scaler/index.ts';
import {
  type FleetSimulationResult,
  fleetOf,
  type SimulatedRequest,
  simulatedAdmission,
  simulateFleet,
  traceBlockTokens,
  withSessions,
} from '../src/core/simulation/index.ts';
import { estimate, percentile } from '../src/core/stats/index.ts';
import { machine } from './machine.ts';
import { mooncakeRuns } from './mooncake.ts';

const { numbers, seeds, trace } = await mooncakeRuns({ seeds: 3, startup: 120 });
const startupSeconds = numbers.startup;
/** The service level: the first token comes within this time. */
const ttftSeconds = 5;
const startEngines = 2;
const enginesMax = 12;
/** Engines that drain are there beside those of the scaler. */
const enginesAtAll = 16;
const holdSeconds = 300;
const idleSeconds = 300;
const hour = 3600;

const engines = fleetOf({ engines: enginesAtAll });

/** The arrival rate of an hour, relative to its mean. */
type Shape = (hourShare: number) => number;

const shapes = {
  day: (at) => 1 - 0.85 * Math.cos(2 * Math.PI * at),
  burst: (at) => (at >= 1 / 3 && at < 1 / 2 ? 3 : 0.6),
  pauses: (at) => (at < 0.25 || (at >= 0.6 && at < 0.85) ? 1 : 0),
} satisfies Record<string, Shape>;

/** The trace with the arrivals of a shape: its order and its short bursts stay. Each seed begins elsewhere in it. */
function trafficOf(seed: number, shape: Shape, share = 1): SimulatedRequest[] {
  const from = Math.floor(((seed - 1) / seeds.length) * trace.requests.length);
  const rotated = [...trace.requests.slice(from), ...trace.requests.slice(0, from)];
  const span = trace.requests.at(-1)?.arrivalSeconds ?? 0;
  const start = trace.requests[from]?.arrivalSeconds ?? 0;
  const timeAt = inverseOf(shape);
  const moved = rotated.map((request) => {
    const since = request.arrivalSeconds - start;
    const original = since < 0 ? since + span : since;
    return { ...request, arrivalSeconds: hour * timeAt(original / span) };
  });
  const kept = moved.filter((_, i) => i % Math.round(1 / share) === 0);
  return withSessions(kept.sort((a, b) => a.arrivalSeconds - b.arrivalSeconds));
}

/** From the share of the requests to the share of the hour. */
function inverseOf(shape: Shape): (share: number) => number {
  const steps = 3600;
  const sums = [0];
  for (let i = 0; i < steps; i++) sums.push((sums[i] as number) + shape((i + 0.5) / steps));
  const total = sums[steps] as number;
  return (share) => {
    const wanted = share * total;
    let [low, high] = [0, steps];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) <= wanted) low = middle;
      else high = middle;
    }
    const [before, after] = [sums[low] as number, sums[high] as number];
    return (low + (wanted - before) / Math.max(after - before, 1e-9)) / steps;
  };
}

interface Run {
  readonly inTime: number;
  readonly engineHours: number;
  readonly p99: number;
  readonly started: number;
  readonly failed: number;
}

interface Fleet {
  readonly label: string;
  /** A number of engines, or what scales them. */
  readonly engines: number | (() => Scaler);
  readonly start?: number;
  /** Of the router, in seconds. */
  readonly holdTimeout?: number;
}

function play(seed: number, requests: readonly SimulatedRequest[], fleet: Fleet): Run {
  const fixed = typeof fleet.engines === 'number' ? fleet.engines : undefined;
  const scaler = typeof fleet.engines === 'number' ? undefined : fleet.engines();
  const result = simulateFleet({
    ...{ requests, policy: 'predictive', traceBlockTokens, seed, reportSeconds: 1 },
    engines: fixed === undefined ? engines : engines.slice(0, fixed),
    admission: simulatedAdmission({
      ...{ queueTimeout: 0, holdTimeout: fleet.holdTimeout ?? 0 },
      ...{ saturationWait: 2, maxQueuedRequests: 10_000 },
    }),
    scaling: scaler && { scaler, startEngines: fleet.start ?? startEngines, startupSeconds },
  });
  return {
    inTime: inTime(result) / requests.length,
    engineHours: (result.scaling?.engineSeconds ?? (fixed ?? 0) * result.seconds) / hour,
    p99: percentile(result.ttftSeconds.filter((one) => !Number.isNaN(one)).toSorted(), 99),
    started: result.scaling?.started ?? 0,
    failed: result.failed.reduce((sum, one) => sum + one, 0),
  };
}

function inTime({ ttftSeconds: ttft, failed }: FleetSimulationResult): number {
  return ttft.filter((seconds, i) => failed[i] === 0 && seconds <= ttftSeconds).length;
}

/** Mean over the seeds, with the least and the most. */
function cell(numbers: readonly number[], digits: number): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(estimate(numbers).mean)} [${text(Math.min(...numbers))} – ${text(Math.max(...numbers))}]`;
}

const bounds = { min: 1, max: enginesMax };
const waiting = (target: number) => ({ value: (of: FleetReading) => of.waiting, target });
const running = (target: number) => ({ value: (of: FleetReading) => of.running, target });
const kvUsage = (target: number) => ({
  value: (of: FleetReading) => of.kvUsage * of.ready,
  target,
});
const hpa = (...metrics: ReturnType<typeof waiting>[]) =>
  horizontalPodAutoscaler({ bounds, metrics });

const fleets: readonly Fleet[] = [
  ...[4, 5, 6, 8].map((count) => ({ label: `${count} engines, fixed`, engines: count })),
  { label: 'HPA, 5 waiting per engine (upstream’s chart)', engines: () => hpa(waiting(5)) },
  { label: 'HPA, 5 running per engine (upstream’s operator)', engines: () => hpa(running(5)) },
  { label: 'HPA, 10 running per engine', engines: () => hpa(running(10)) },
  {
    label: 'HPA, KV cache 50 % or 5 waiting per engine',
    engines: () => hpa(kvUsage(0.5), waiting(5)),
  },
  {
    label: '**built-in**',
    engines: () => new ServiceLevelScaler({ bounds, ttftSeconds, startupSeconds }),
  },
];

const toZero: readonly Fleet[] = [
  { label: '3 engines, fixed', engines: 3 },
  {
    label: '**built-in**, at least 1',
    engines: () => new ServiceLevelScaler({ bounds, ttftSeconds, startupSeconds, idleSeconds }),
    start: 1,
  },
  {
    label: `**built-in**, down to 0, requests held up to ${holdSeconds} s`,
    engines: () =>
      new ServiceLevelScaler({
        ...{ bounds: { min: 0, max: enginesMax }, ttftSeconds, startupSeconds, idleSeconds },
      }),
    ...{ start: 0, holdTimeout: holdSeconds },
  },
];

function table(shape: Shape, rows: readonly Fleet[], share = 1): string {
  const traffic = new Map(seeds.map((seed) => [seed, trafficOf(seed, shape, share)]));
  const lines = rows.map((fleet) => {
    const runs = seeds.map((seed) => play(seed, traffic.get(seed) ?? [], fleet));
    return `| ${[
      fleet.label,
      cell(
        runs.map((run) => 100 * run.inTime),
        1,
      ),
      cell(
        runs.map((run) => run.engineHours),
        1,
      ),
      cell(
        runs.map((run) => run.p99),
        0,
      ),
      cell(
        runs.map((run) => run.started),
        0,
      ),
      String(runs.reduce((sum, run) => sum + run.failed, 0)),
    ].join(' | ')} |`;
  });
  return `| | TTFT within ${ttftSeconds} s, % | GPU hours | TTFT p99, s | engines started | failed |
|---|--:|--:|--:|--:|--:|
${lines.join('\n')}`;
}

process.stdout.write(`# Autoscaling, in virtual time

The service level is a first token within ${ttftSeconds} s. Qwen3-8B, an H100 per engine, up to ${enginesMax} of them, ${startEngines} at the beginning; a new one serves after
${startupSeconds} s, with an empty cache, and one that is stopped finishes its streams, which counts as GPU time. The ${trace.requests.length.toLocaleString('en')} requests of the Mooncake
conversation trace arrive within an hour, in their order and with their short bursts, while their rate changes. Scalers look every
15 s. The rule of the HPA, which KEDA uses too, has Kubernetes' defaults: tolerance of 10 %, at most 4 engines or twice as many at a time, and fewer
engines only after 300 s. Figures are means of the seeds [least – most]; each seed begins at another place in the trace.
How the built-in scaler decides: [guide](../guide/autoscaling.md).

\`\`\`
node bench/scaling.ts --seeds ${seeds.length} --startup ${startupSeconds} > docs/results/scaling.md
\`\`\`

Machine: ${machine()}. Seeds: ${seeds.join(', ')}.

About 1 % of the prompts are so long that no number of engines computes them in ${ttftSeconds} s: the column cannot reach 100.

## A day: the rate rises from 0.15 to 1.85 times its mean and falls again

${table(shapes.day, fleets)}

## A burst: five times the rate for ten minutes, without a warning

A request that waits in an engine waits for that engine, whatever starts beside it: no scaler helps it, only engines that were there.

${table(shapes.burst, fleets)}

## Pauses: nothing for 21 and 9 minutes, a third of the requests

Engines go when ${idleSeconds} s have passed without a request. The router holds what arrives while there is none.

${table(shapes.pauses, toZero, 1 / 3)}
`);
