// The view of a router with its queue, its peers and its engines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView, routerView } from '../../../test/support/router-views.ts';
import { JsonShapeError } from './json-shape.ts';
import { parseRouterView } from './router-view.ts';

const latencies = {
  ttft: { count: 3, p50: 0.1, p90: 0.2, p99: 0.3 },
  tpot: null,
  e2e: { count: 4, p50: 1, p90: 2, p99: 3 },
};

const engine = engineView('a', { latencies });

const router = routerView({
  queue: {
    ...{ waiting: 3, oldestSeconds: 1.5, rejected: 2 },
    byPriority: [{ priority: -1, waiting: 3 }],
  },
  engines: [engine],
  latencies: { windowSeconds: 300, all: latencies, models: [{ model: 'm', ...latencies }] },
  routers: {
    ...{ id: 'x', listeners: 1, listenersDropped: 0, unknownEngines: ['http://z'] },
    peers: [
      {
        ...{ url: 'http://r', address: '10.0.0.1', state: 'duplicate', router: null },
        ...{ problem: 'it is connected at another address', delaySeconds: null },
      },
    ],
  },
});

test('a router is read back whole, also without a queue and peers', () => {
  assert.deepEqual(parseRouterView(JSON.stringify(router)), router);
  const alone = { ...router, routers: null, queue: null };
  assert.deepEqual(parseRouterView(JSON.stringify(alone)), alone);
});

test('keys of a newer router are omitted', () => {
  const newer = { ...router, zone: 'a', engines: [{ ...engine, tier: 'b' }] };
  assert.deepEqual(parseRouterView(JSON.stringify(newer)), router);
});

test('JSON of another shape is refused with the position of the difference', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'the document must be an object, not []'],
    [{ ...router, engines: {} }, 'engines must be a list, not {}'],
    [{ ...router, policy: undefined }, 'policy must be a text, not nothing'],
    [
      { ...router, engines: [engine, { ...engine, state: 'unheard-of' }] },
      'engines[1].state must be one of starting, live, asleep, draining, dead, not "unheard-of"',
    ],
    [
      { ...router, engines: [{ ...engine, load: { ...engine.load, inflight: '1' } }] },
      'engines[0].load.inflight must be a number, not "1"',
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => parseRouterView(JSON.stringify(value)),
      (error) => error instanceof JsonShapeError && error.message === message,
    );
  }
});
