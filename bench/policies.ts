// Compares routing policies on the Mooncake conversation trace, in virtual time: engine models
// behind the routing core that the router runs.
//
//   node bench/policies.ts [--requests N] [--scenario NAME] [--json] [policy…]
import { parseArgs } from 'node:util';
import { policyNames } from '../src/core/routing/index.ts';
import {
  type FleetOptions,
  fleetOf,
  type SimulatedRequest,
  simulateFleet,
  traceBlockTokens,
  withSessions,
} from '../src/core/simulation/index.ts';
import { percentile } from '../src/core/stats/index.ts';
import { loadTrace } from '../src/io/traces/index.ts';
import { withHotPrefix } from '../test/support/fleet-scenarios.ts';

interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly fleet: FleetOptions;
  /** Factors of the trace's arrival rate (3.4 requests/s). */
  readonly speeds: readonly number[];
  readonly traffic?: (requests: SimulatedRequest[]) => SimulatedRequest[];
}

const scenarios: readonly Scenario[] = [
  { name: '4', what: '4 × H100, Qwen3-8B', fleet: { engines: 4 }, speeds: [0.5, 1, 1.5] },
  { name: '8', what: '8 × H100, Qwen3-8B', fleet: { engines: 8 }, speeds: [1, 2, 3] },
  {
    name: '8-large-cache',
    what: '8 × H100, Qwen3-8B, 5,000 trace blocks (2.56M tokens) of cache each',
    fleet: { engines: 8, cacheTraceBlocks: 5000 },
    speeds: [1, 2, 3],
  },
  {
    name: '8-h200-32b',
    what: '8 × H200, Qwen3-32B',
    fleet: { engines: 8, model: 'Qwen3-32B', gpu: 'H200' },
    speeds: [0.5, 0.75],
  },
  {
    name: '4-one-slow',
    what: '4 × H100, Qwen3-8B, the first three times slower',
    fleet: { engines: 4, firstSlowedBy: 3 },
    speeds: [0.5, 1],
  },
  {
    name: '8-hot-prefix',
    what: '8 × H100, Qwen3-8B; after 600 s of the trace, 400 questions in 10 s about one new document of 16,384 tokens',
    fleet: { engines: 8 },
    speeds: [1],
    traffic: (requests) =>
      withHotPrefix(
        requests.filter(({ arrivalSeconds }) => arrivalSeconds < 900),
        { requests: 400, documentTokens: 16_384, atSeconds: 600, seconds: 10 },
      ),
  },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    requests: { type: 'string' },
    scenario: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const policies = positionals.length > 0 ? positionals : policyNames;
const trace = await loadTrace('bench/data/mooncake-conversation.jsonl.gz');
const requests = withSessions(trace.requests.slice(0, Number(values.requests ?? 12_031)));

for (const scenario of scenarios) {
  if (values.scenario && scenario.name !== values.scenario) continue;
  const traffic = scenario.traffic?.(requests) ?? requests;
  // The published figures were simulated with it; the default was introduced later.
  const engines = fleetOf({ ...scenario.fleet, stepCost: 'roofline' });
  for (const speed of scenario.speeds) {
    if (!values.json) printHead(`${scenario.what}; ${traffic.length} requests, trace × ${speed}`);
    for (const policy of policies) {
      const result = simulateFleet({ requests: traffic, engines, policy, traceBlockTokens, speed });
      const ttft = quantilesOf(result.ttftSeconds);
      const e2e = quantilesOf(result.e2eSeconds);
      const { hitRate, spread } = result;
      const row = { scenario: scenario.name, speed, policy, ttft, e2e, hitRate, spread };
      if (values.json) console.log(JSON.stringify(row));
      else {
        const seconds = [ttft.p50, ttft.p90, ttft.p99, ttft.mean, e2e.mean];
        const cells = [...seconds.map((x) => x.toFixed(2)), hitRate.toFixed(4), spread.toFixed(2)];
        console.log(`| ${policy} | ${cells.join(' | ')} |`);
      }
    }
  }
}

function quantilesOf(seconds: Float64Array) {
  const sorted = seconds.toSorted();
  const mean = seconds.reduce((sum, x) => sum + x, 0) / seconds.length;
  const at = (q: number) => percentile(sorted, q);
  return { mean, p50: at(50), p90: at(90), p99: at(99) };
}

function printHead(title: string): void {
  console.log(`\n${title}\n`);
  console.log('| policy | TTFT p50 s | p90 | p99 | mean | E2E mean s | hit rate | max/mean |');
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
}
