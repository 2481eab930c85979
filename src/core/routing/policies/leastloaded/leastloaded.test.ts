import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { EndpointRecord } from '../../endpoint-record.ts';
import { RoutingCore } from '../../routing-core.ts';
import { LeastLoadedPolicy } from './leastloaded.ts';

function fleetOf(urls: string): RoutingCore {
  const policy = new LeastLoadedPolicy(seededRandom(1));
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return core;
}

test('leastloaded fills an idle fleet evenly and then the engine that finishes first', () => {
  const core = fleetOf('abcd');
  const tickets = Array.from({ length: 8 }, () => {
    const ticket = core.route(routingRequest());
    ticket.sent();
    return ticket;
  });
  for (const url of 'abcd') assert.equal(core.endpoint(url)?.load.inflight, 2);
  tickets[5]?.finish({ status: 'completed' });
  const next = core.route(routingRequest()).pick;
  assert.equal(next.endpoint, tickets[5]?.pick.endpoint);
  assert.equal(next.reason, 'fewest requests in flight: 1');
});

test('with equal request counts, shorter prompts count as less load', () => {
  const core = fleetOf('ab');
  core.route(routingRequest('long '.repeat(100))).sent();
  const short = core.route(routingRequest('short'));
  short.sent();
  assert.equal(core.route(routingRequest()).pick.endpoint, short.pick.endpoint);
});

test('equally idle engines are drawn with equal chances', () => {
  const core = fleetOf('abcd');
  const counts = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const { url } = core.route(routingRequest()).pick.endpoint;
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 120, `${count}`);
});

test('ties found after a busier engine are broken with equal chances too', () => {
  const engines = [2, 2, 1, 1].map((inflight, i) => engineOf(`${i}`, inflight));
  const policy = new LeastLoadedPolicy(seededRandom(1));
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) {
    const { endpoint } = policy.pick(routingRequest(), engines);
    counts[Number(endpoint.url)] = (counts[Number(endpoint.url)] ?? 0) + 1;
  }
  const [, , third = 0, fourth = 0] = counts;
  assert.equal(third + fourth, 4000);
  assert.ok(Math.abs(third - 2000) < 160, `${third} of 4000`);
});

test('exactly half of all random values pick the first of two equal engines', () => {
  const engines = [engineOf('a', 1), engineOf('b', 1)];
  const urls = Array.from({ length: 8 }, (_, i) => {
    const policy = new LeastLoadedPolicy({ next: () => i / 8 });
    return policy.pick(routingRequest(), engines).endpoint.url;
  });
  assert.equal(urls.join(''), 'bbbbaaaa');
});

function engineOf(url: string, inflight: number): EndpointRecord {
  const engine = new EndpointRecord(url, ['m'], 'live', '');
  for (let i = 0; i < inflight; i++) engine.load.sent(0, true);
  return engine;
}
