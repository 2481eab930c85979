// What the admission queue gives under overload: goodput on the Mooncake conversation trace at 1.5 × capacity, in
// virtual time, with and without it. Prints the page docs/results/admission.md.
//
//   node bench/admission.ts [--seeds 5] [--requests 4000]
import { admissionSettings } from '../src/core/attempts/index.ts';
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
import { mooncakeRuns, partOf } from './mooncake.ts';

const { numbers, seeds, trace } = await mooncakeRuns({ seeds: 5, requests: 4000 });
const requestCount = numbers.requests;
/** A response is good if its first token comes within this time. */
const goodSeconds = 10;
const engineCount = 4;
const policies = ['predictive', 'kvaware', 'leastloaded', 'prefixaware', 'session', 'roundrobin'];
const timeouts = [1, 2, 5, 10, 30];
/** Factors of the trace's arrival rate among which the capacity is looked for. */
const speeds = Array.from({ length: 12 }, (_, i) => 0.9 + i / 10);

const engines = fleetOf({ engines: engineCount });

interface Run {
  readonly goodPerSecond: number;
  readonly offeredPerSecond: number;
  readonly rejectedShare: number;
  readonly result: FleetSimulationResult;
}

/** Each seed has another part of the trace. */
function trafficOf(seed: number): SimulatedRequest[] {
  const counts = { seedCount: seeds.length, count: requestCount };
  return withSessions(partOf(trace.requests, { seed, ...counts }));
}

function play(
  seed: number,
  speed: number,
  options: {
    readonly policy?: string;
    readonly queueTimeout?: number;
    readonly saturationWait?: number;
    /** Share of the requests that belong to one client; the others share 20. */
    readonly heavyShare?: number;
    /** Share of the requests that are urgent. */
    readonly urgentShare?: number;
  } = {},
): Run {
  const { policy = 'predictive', queueTimeout = 0, heavyShare = 0, urgentShare = 0 } = options;
  const requests = trafficOf(seed);
  const place = new Map(requests.map((request, i) => [request, i]));
  const of = (request: SimulatedRequest) => place.get(request) ?? 0;
  const defaults = Object.fromEntries(admissionSettings.map((one) => [one.key, one.default]));
  const { saturationWait = defaults['saturationWait'] as number } = options;
  const maxQueuedRequests = defaults['maxQueuedRequests'] as number;
  const admission = simulatedAdmission({
    ...{ queueTimeout, maxQueuedRequests, saturationWait, holdTimeout: 0 },
  });
  const faster = requests.map((one) => ({ ...one, arrivalSeconds: one.arrivalSeconds / speed }));
  faster.forEach((one, i) => {
    place.set(one, i);
  });
  const result = simulateFleet({
    ...{ requests: faster, engines, policy, traceBlockTokens, seed, reportSeconds: 1 },
    admission: admission && {
      ...admission,
      owner: (request) => (isHeavy(of(request), heavyShare) ? 'heavy' : `${of(request) % 20}`),
      priority: (request) => (isUrgent(of(request), urgentShare) ? -1 : 0),
    },
  });
  const seconds = result.arrivalSeconds.at(-1) ?? 0;
  return {
    goodPerSecond: goodOf(result, () => true).length / seconds,
    offeredPerSecond: requests.length / seconds,
    rejectedShare: result.rejected / requests.length,
    result,
  };
}

const isHeavy = (index: number, share: number) => (index % 100) / 100 < share;
const isUrgent = (index: number, share: number) => ((index * 37) % 100) / 100 < share;

/** Indexes of the chosen requests that were answered in time. */
function goodOf(result: FleetSimulationResult, isChosen: (index: number) => boolean): number[] {
  return Array.from(result.ttftSeconds.keys()).filter((i) => {
    return (
      isChosen(i) && result.failed[i] === 0 && (result.ttftSeconds[i] as number) <= goodSeconds
    );
  });
}

/** The load with the highest goodput without a queue, and that goodput, by seed. */
const capacities = new Map(
  seeds.map((seed) => {
    const runs = speeds.map((speed) => ({ speed, ...play(seed, speed) }));
    return [
      seed,
      runs.reduce((best, run) => (run.goodPerSecond > best.goodPerSecond ? run : best)),
    ];
  }),
);

/** Mean over the seeds, with the least and the most. */
function cell(numberOf: (seed: number) => number, digits = 0): string {
  const numbers = seeds.map(numberOf);
  const { mean } = estimate(numbers);
  const text = (value: number) => value.toFixed(digits);
  return `${text(mean)} [${text(Math.min(...numbers))} – ${text(Math.max(...numbers))}]`;
}

/** A row for one kind of run at a multiple of the capacity, played once for each seed. */
function row(label: string, load: number, options: Parameters<typeof play>[2]): string {
  const runs = new Map(
    seeds.map((seed) => {
      const { speed, goodPerSecond } = capacities.get(seed) as { speed: number } & Run;
      return [seed, { best: goodPerSecond, ...{ run: play(seed, load * speed, options) } }];
    }),
  );
  const of = (seed: number) => runs.get(seed) as { best: number; run: Run };
  const ttft = (seed: number, q: number) => {
    const served = of(seed).run.result.ttftSeconds.filter((seconds) => !Number.isNaN(seconds));
    return percentile(served.toSorted(), q);
  };
  return `| ${[
    label,
    cell((seed) => (100 * of(seed).run.goodPerSecond) / of(seed).best),
    cell((seed) => 100 * of(seed).run.rejectedShare),
    cell((seed) => ttft(seed, 50), 1),
    cell((seed) => ttft(seed, 90), 1),
  ].join(' | ')} |`;
}

const head = `| | goodput, % of capacity | rejected, % | TTFT p50, s | TTFT p90, s |
|---|--:|--:|--:|--:|`;

/** Share of the chosen requests that were answered in time, in percent. */
function served(options: Parameters<typeof play>[2], isChosen: (index: number) => boolean): string {
  return cell((seed) => {
    const { speed } = capacities.get(seed) as { speed: number };
    const { result } = play(seed, 1.5 * speed, options);
    const chosen = Array.from(result.ttftSeconds.keys()).filter(isChosen).length;
    return (100 * goodOf(result, isChosen).length) / chosen;
  });
}

const heavy = { queueTimeout: 5, heavyShare: 0.8 };
const urgent = { queueTimeout: 5, urgentShare: 0.1 };
const without = { queueTimeout: 0 };

process.stdout.write(`# Admission under overload, in virtual time

The first ${goodSeconds} s decide: a response is good if its first token comes within them. ${engineCount} × H100, Qwen3-8B,
${requestCount.toLocaleString('en')} requests of the Mooncake conversation trace for each seed, another part of the trace each; engines report once per second.
*Capacity* is the highest goodput without a queue at any load: ${cell((seed) => capacities.get(seed)?.goodPerSecond ?? 0, 2)} requests/s, at
${cell((seed) => capacities.get(seed)?.offeredPerSecond ?? 0, 2)} requests/s offered. Figures are means of the seeds [least – most].
Why it is as it is: [decision 0025](../decisions/0025-admission.md).

\`\`\`
node bench/admission.ts --seeds ${seeds.length} --requests ${requestCount} > docs/results/admission.md
\`\`\`

Machine: ${machine()}. Seeds: ${seeds.join(', ')}.

## At 1.5 × capacity

\`--queue-timeout\` of \`predictive\`, with \`--saturation-wait 2\`:

${head}
${row('no queue', 1.5, without)}
${timeouts.map((queueTimeout) => row(`${queueTimeout} s`, 1.5, { queueTimeout })).join('\n')}

Other waits in the engine from which it counts as saturated, with \`--queue-timeout 5\`:

${head}
${[0.5, 1, 2, 4]
  .map((saturationWait) =>
    row(`\`--saturation-wait ${saturationWait}\``, 1.5, { queueTimeout: 5, saturationWait }),
  )
  .join('\n')}

## With each policy, at 1.5 × the capacity of \`predictive\`

${head}
${policies
  .flatMap((policy) => [
    row(`\`${policy}\`, no queue`, 1.5, { policy }),
    row(`\`${policy}\`, 2 s`, 1.5, { policy, queueTimeout: 2 }),
  ])
  .join('\n')}

## Below capacity

${head}
${[0.7, 0.9]
  .flatMap((load) => [
    row(`${load} × capacity, no queue`, load, without),
    row(`${load} × capacity, 5 s`, load, { queueTimeout: 5 }),
  ])
  .join('\n')}

## Who is served, at 1.5 × capacity

Share of the requests that were answered in time, in percent. *Heavy*: one client sends 80 % of the requests, 20 clients the rest.
*Urgent*: a tenth of the requests has priority −1.

| | no queue | queue, 5 s |
|---|--:|--:|
| the heavy client | ${served(without, (i) => isHeavy(i, 0.8))} | ${served(heavy, (i) => isHeavy(i, 0.8))} |
| the other 20 | ${served(without, (i) => !isHeavy(i, 0.8))} | ${served(heavy, (i) => !isHeavy(i, 0.8))} |
| urgent requests | ${served(without, (i) => isUrgent(i, 0.1))} | ${served(urgent, (i) => isUrgent(i, 0.1))} |
| other requests | ${served(without, (i) => !isUrgent(i, 0.1))} | ${served(urgent, (i) => !isUrgent(i, 0.1))} |
`);
