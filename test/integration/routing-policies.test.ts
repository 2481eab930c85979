// Policies on the Mooncake conversation trace, in virtual time: engine models behind the routing
// core that the router runs. `node bench/policies.ts` prints the whole comparison.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { loads, setups, simulateFlags } from '../../bench/claims/loads.ts';
import { toOffload } from '../../src/cli/simulate/arguments.ts';
import { valuesChecks } from '../../src/cli/values-checks.ts';
import {
  type FleetOptions,
  fleetOf,
  type SimulatedRequest,
  simulateFleet,
  traceBlockTokens,
  withSessions,
} from '../../src/core/simulation/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';
import { loadValues } from '../../src/io/values/index.ts';
import { simulateStack } from '../../src/tools/simulate-stack/index.ts';
import { withHotPrefix } from '../support/fleet-scenarios.ts';

const otherPolicies = ['roundrobin', 'session', 'prefixaware', 'leastloaded'];

let trace: SimulatedRequest[];
before(async () => {
  trace = withSessions((await loadTrace('bench/data/mooncake-conversation.jsonl.gz')).requests);
});

function play(
  policy: string,
  options: { fleet: FleetOptions; requests: readonly SimulatedRequest[]; speed?: number },
) {
  const { requests, speed } = options;
  const engines = fleetOf(options.fleet);
  const result = simulateFleet({ requests, engines, policy, traceBlockTokens, speed });
  const sorted = result.ttftSeconds.toSorted();
  return { ...result, p50: percentile(sorted, 50), p90: percentile(sorted, 90) };
}

test('one seed gives one run', () => {
  const options = { fleet: { engines: 4 }, requests: trace.slice(0, 200) };
  assert.deepEqual(play('predictive', options), play('predictive', options));
});

// .3575 is the token hit rate of an independent simulation without service times, for a router that
// weighs the match against the prefill given (own LRU of 5,000 blocks per engine). An engine here
// also holds what runs and its outputs, and a router that answers to queues gives up some hits.
test('predictive spreads the conversation trace over 8 engines and keeps its hits', () => {
  const fleet = { engines: 8, cacheTraceBlocks: 5000 };
  const { hitRate, spread } = play('predictive', { fleet, requests: trace });
  assert.ok(spread < 1.2, `the busiest engine computes ${spread.toFixed(2)} times the mean`);
  assert.ok(hitRate > 0.9 * 0.3575, `hit rate ${hitRate.toFixed(4)}`);
});

for (const speed of [1, 3]) {
  test(`no policy has a lower p90 TTFT than predictive at ${speed} times the trace's rate`, () => {
    const options = { fleet: { engines: 8 }, requests: trace.slice(0, 1500), speed };
    const best = play('predictive', options);
    for (const policy of otherPolicies) {
      const other = play(policy, options);
      assert.ok(best.p90 < other.p90, `${policy} ${other.p90} s, predictive ${best.p90} s`);
      assert.ok(best.p50 <= other.p50, `${policy} p50 ${other.p50} s, predictive ${best.p50} s`);
    }
  });
}

test('predictive finds the engine that is three times slower, and beats the others there too', () => {
  const fleet = { engines: 4, firstSlowedBy: 3 };
  const options = { fleet, requests: trace.slice(0, 1500), speed: 0.5 };
  const best = play('predictive', options);
  const computed = options.requests.map(
    (r, i) => r.promptTokens - (best.cachedTokens[i] as number),
  );
  const total = computed.reduce((sum, tokens) => sum + tokens, 0);
  const slow = computed.reduce((sum, n, i) => sum + (best.engineOf[i] === 0 ? n : 0), 0);
  assert.ok(slow < 0.15 * total, `the slow engine computed ${slow / total} of the tokens`);
  for (const policy of otherPolicies) {
    const other = play(policy, options);
    assert.ok(best.p90 < other.p90, `${policy} ${other.p90} s, predictive ${best.p90} s`);
  }
});

test('a burst on one new prefix is spread without losing time to the first token', () => {
  const traffic = trace.filter(({ arrivalSeconds }) => arrivalSeconds < 250);
  const burst = { requests: 400, documentTokens: 16_384, atSeconds: 200, seconds: 10 };
  const requests = withHotPrefix(traffic, burst);
  const hot = requests.flatMap(({ session }, i) => (session?.startsWith('hot-') ? [i] : []));
  const meanTtft = (policy: string) => {
    const { ttftSeconds, engineOf } = play(policy, { fleet: { engines: 8 }, requests, speed: 2 });
    const counts = new Map<number, number>();
    for (const i of hot) {
      const engine = engineOf[i] as number;
      counts.set(engine, (counts.get(engine) ?? 0) + 1);
    }
    const mean = hot.reduce((sum, i) => sum + (ttftSeconds[i] as number), 0) / hot.length;
    return { mean, most: Math.max(...counts.values()) };
  };
  const best = meanTtft('predictive');
  assert.ok(best.most < hot.length / 4, `one engine got ${best.most} of ${hot.length}`);
  for (const policy of otherPolicies) {
    const other = meanTtft(policy);
    assert.ok(best.mean < other.mean, `${policy} ${other.mean} s, predictive ${best.mean} s`);
  }
});

test('predictive does as well without the engine’s metrics and without usage in the answers', () => {
  const requests = trace.slice(0, 1500);
  const engines = fleetOf({ engines: 4 });
  const p90 = (options: { reportSeconds?: number; usage?: boolean }) => {
    const result = simulateFleet({
      ...{ requests, engines, policy: 'predictive', traceBlockTokens },
      ...options,
    });
    return percentile(result.ttftSeconds.toSorted(), 90);
  };
  const informed = p90({});
  const blind = p90({ reportSeconds: 0, usage: false });
  assert.ok(blind < 1.15 * informed, `${blind} s without, ${informed} s with`);
});

test('conversations that the memory cannot hold: predictive does not drop all prefixes at once', async () => {
  const [load] = loads.filter(({ name }) => name === 'multi-turn-12');
  const checks = await valuesChecks();
  const meanTtft = async (policy: string, qps: number) => {
    const setup = setups.find((other) => other.policy === policy && other.offload === 'none');
    assert.ok(load && setup);
    const at = { ...load, sets: [`qps=${qps}`] };
    const { sets, offload, ...traffic } = simulateFlags(at, setup);
    const values = await loadValues({ files: ['bench/claims/stack.yaml'], sets, ...checks });
    const { report } = await simulateStack({
      ...{ values, ...traffic, seed: 1, offload: toOffload(offload) },
      ...{ failures: [], percentiles: [90] },
    });
    return report.fromSent.ttft?.mean ?? Number.NaN;
  };
  // Faster than a fixed engine for each conversation, below and above the load at which the memory begins to be too small. Where conversations
  // between two turns took no room, it was 20 % slower at 12 and 13; when all engines lost all prefixes at once, it took three times as long.
  for (const qps of [11, 12, 13, 14]) {
    const predictive = await meanTtft('predictive', qps);
    const session = await meanTtft('session', qps);
    assert.ok(predictive < session, `${qps}/s: ${predictive} against ${session} ms`);
  }
});
