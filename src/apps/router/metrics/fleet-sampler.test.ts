import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../test/support/routing.ts';
import { seededRandom } from '../../../core/base/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { FleetHistory } from './fleet-history.ts';
import { FleetSampler } from './fleet-sampler.ts';
import { RouterMetrics } from './router-metrics.ts';

test('a point has the rates since the last one, the recent latencies, and live reports only', () => {
  let nowSeconds = 10;
  const core = new RoutingCore({
    policy: createPolicy('roundrobin', { random: seededRandom(1) }),
    clock: { nowSeconds: () => nowSeconds },
  });
  const metrics = new RouterMetrics(new MetricsRegistry(), 60);
  const history = new FleetHistory();
  const engines = new Map<string, Engine>();
  for (const [url, kvUsage] of [
    ['http://a', 0.25],
    ['http://b', 0.75],
    ['http://dead', 1],
  ] as const) {
    core.addEndpoint({ url, models: ['m'] });
    const report = { kvUsage, running: 2, waiting: 1 };
    engines.set(url, { name: url.slice(7), report, rates: undefined } as unknown as Engine);
  }
  core.setState('http://dead', 'dead', 'gone');
  const sampler = new FleetSampler({
    ...{ core, engines, metrics, history, nowSeconds: () => nowSeconds },
    unixSeconds: () => 1_000 + nowSeconds,
  });
  metrics.arrived += 20;
  metrics.clientErrors += 5;
  metrics.windows.recorder('http://a', 'm').add('ttft', 0.5, nowSeconds);
  nowSeconds = 15;
  sampler.sample();
  // A timer that fires twice in one moment adds no point.
  sampler.sample();
  nowSeconds = 20;
  sampler.sample();
  const view = history.view({ urls: ['http://a', 'http://dead'], sinceSeconds: 0 });
  assert.deepEqual(view.atSeconds, [1015, 1020]);
  const { fleet } = view;
  assert.deepEqual(fleet.requestsPerSecond, [4, 0]);
  assert.deepEqual(fleet.clientErrorsPerSecond, [1, 0]);
  assert.deepEqual([fleet.kvUsageMean[0], fleet.kvUsageMax[0]], [0.5, 0.75]);
  assert.deepEqual([fleet.running[0], fleet.waiting[0]], [4, 2]);
  assert.ok(Math.abs((fleet.ttftP90[0] ?? 0) - 0.5) < 0.05);
  assert.equal(fleet.tpotP50[0], null);
  assert.equal(fleet.generationTokensPerSecond[0], null);
  assert.equal(view.engines[0]?.series.kvUsage[0], 0.25);
  assert.equal(view.engines[1]?.series.kvUsage[0], null);
});

/** A sampler over engines, whose points are kept; `tick` adds one after so many seconds. */
function sampled(engines: ReadonlyMap<string, Partial<Engine>>) {
  let nowSeconds = 10;
  const core = new RoutingCore({
    policy: createPolicy('roundrobin', { random: seededRandom(1) }),
    clock: { nowSeconds: () => nowSeconds },
  });
  for (const url of engines.keys()) core.addEndpoint({ url, models: ['m'] });
  const metrics = new RouterMetrics(new MetricsRegistry(), 60);
  let pushed: Parameters<FleetHistory['push']> | undefined;
  const history = {
    push: (...point: Parameters<FleetHistory['push']>) => {
      pushed = point;
    },
  };
  const sampler = new FleetSampler({
    ...{ core, engines, metrics, history, nowSeconds: () => nowSeconds },
    unixSeconds: () => 1_000 + nowSeconds,
  } as unknown as ConstructorParameters<typeof FleetSampler>[0]);
  const tick = (seconds: number) => {
    nowSeconds += seconds;
    sampler.sample();
    const [atSeconds, fleet, points] = pushed ?? assert.fail();
    return { atSeconds, fleet, points };
  };
  return { core, metrics, tick };
}

const noLatencies = {
  ...{ ttftP50: null, ttftP90: null, ttftP99: null, tpotP50: null, tpotP90: null, tpotP99: null },
  ...{ e2eP50: null, e2eP90: null, e2eP99: null },
};

test('figures that no engine reports are null, not 0', () => {
  const url = 'http://a';
  const { tick } = sampled(new Map([[url, {}]]));
  const { atSeconds, fleet, points } = tick(5);
  assert.equal(atSeconds, 1015);
  assert.deepEqual(fleet, {
    ...{ requestsPerSecond: 0, clientErrorsPerSecond: 0, serverErrorsPerSecond: 0, inflight: 0 },
    ...{ running: null, waiting: null, generationTokensPerSecond: null, kvUsageMean: null },
    ...{ kvUsageMax: null, ...noLatencies },
  });
  assert.deepEqual(
    [...points],
    [
      [
        url,
        {
          name: url,
          point: {
            ...{ requestsPerSecond: 0, generationTokensPerSecond: null, hitRate: null },
            ...{ running: null, waiting: null, kvUsage: null, ttftP90: null },
          },
        },
      ],
    ],
  );
});

test('a point sums up the engines, and counts what happened since the one before', () => {
  const engine = {
    ...{ name: 'one', report: { kvUsage: 0.25, running: 2, waiting: 1 } },
    rates: { generationTokensPerSecond: 30, hitRate: 0.5 },
  } as unknown as Partial<Engine>;
  const { core, metrics, tick } = sampled(new Map([['http://a', engine]]));
  metrics.arrived = 3;
  metrics.serverErrors = 1;
  core.route(routingRequest('x')).sent();
  tick(5);
  metrics.arrived = 13;
  metrics.clientErrors = 4;
  metrics.serverErrors = 7;
  for (let i = 0; i < 4; i++) core.route(routingRequest('x')).sent();
  for (const [name, seconds] of [
    ['ttft', 0.5],
    ['tpot', 0.05],
    ['e2e', 5],
  ] as const) {
    metrics.windows.recorder('http://a', 'm').add(name, seconds, 17);
  }
  const { fleet, points } = tick(0.5);
  const { ttftP50, ttftP90, ttftP99, tpotP50, tpotP90, tpotP99, e2eP50, e2eP90, e2eP99, ...rest } =
    fleet;
  assert.deepEqual(rest, {
    ...{ requestsPerSecond: 20, clientErrorsPerSecond: 8, serverErrorsPerSecond: 12, inflight: 5 },
    ...{ running: 2, waiting: 1, generationTokensPerSecond: 30 },
    ...{ kvUsageMean: 0.25, kvUsageMax: 0.25 },
  });
  for (const [figures, expected] of [
    [[ttftP50, ttftP90, ttftP99], 0.5],
    [[tpotP50, tpotP90, tpotP99], 0.05],
    [[e2eP50, e2eP90, e2eP99], 5],
  ] as const) {
    for (const figure of figures) {
      assert.ok(Math.abs((figure ?? 0) / expected - 1) < 0.1, `${figure} and ${expected}`);
    }
  }
  const { name, point } = points.get('http://a') ?? assert.fail();
  const { ttftP90: ownTtft, ...own } = point;
  assert.equal(name, 'one');
  assert.deepEqual(own, {
    ...{ requestsPerSecond: 8, generationTokensPerSecond: 30, hitRate: 0.5 },
    ...{ running: 2, waiting: 1, kvUsage: 0.25 },
  });
  assert.ok(Math.abs((ownTtft ?? 0) / 0.5 - 1) < 0.1);
});

test('an engine that was added since the last point counts from its start', () => {
  const { core, tick } = sampled(new Map([['http://a', {}]]));
  tick(5);
  core.addEndpoint({ url: 'http://b', models: ['n'] });
  core.route(routingRequest('x', { model: 'n' })).sent();
  const rates = [...tick(5).points].map(([url, { point }]) => [url, point.requestsPerSecond]);
  assert.deepEqual(rates, [
    ['http://a', 0],
    ['http://b', 0.2],
  ]);
});
