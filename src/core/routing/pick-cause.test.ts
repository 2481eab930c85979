// The cause of a pick, which the router's metrics count.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import { createPolicy, RoutingCore } from './index.ts';

const urls = ['http://a', 'http://b'] as const;
const prompt = 'x'.repeat(4000);

function core(policy: string): RoutingCore {
  const routing = new RoutingCore({
    policy: createPolicy(policy, { random: seededRandom(1) }),
    clock: new ManualClock(),
    slowStartSeconds: 0,
  });
  for (const url of urls) routing.addEndpoint({ url, models: ['m'] });
  return routing;
}

/** Sends a request and returns the cause of its pick. */
function causeOf(routing: RoutingCore, ...given: Parameters<RoutingCore['route']>): string {
  const ticket = routing.route(...given);
  ticket.sent();
  ticket.firstByte();
  ticket.finish({ status: 'completed' });
  return ticket.cause;
}

for (const policy of ['predictive', 'prefixaware', 'kvaware']) {
  test(`${policy} picks by load until a prefix is cached, and then by prefix`, () => {
    const routing = core(policy);
    const causes = [1, 2].map(() => causeOf(routing, routingRequest(prompt)));
    assert.deepEqual(causes, ['load', 'prefix']);
  });
}

test('the other policies have one ground each; a request without a session goes by load', () => {
  const request = routingRequest(prompt);
  assert.equal(causeOf(core('roundrobin'), request), 'turn');
  assert.equal(causeOf(core('leastloaded'), request), 'load');
  assert.equal(causeOf(core('session'), { ...request, session: 's' }), 'session');
  assert.equal(causeOf(core('session'), request), 'load');
});

test('a request for one engine, a hedge and a retry have causes of their own', () => {
  const routing = core('roundrobin');
  const request = routingRequest(prompt);
  assert.equal(causeOf(routing, { ...request, pinnedUrl: urls[0] }), 'pinned');
  assert.equal(causeOf(routing, request, new Set([urls[0]])), 'retry');
  assert.equal(routing.routeHedge(request, new Set([urls[0]]))?.cause, 'hedge');
});

test('the first request to an ejected engine whose time is over is a trial', () => {
  const clock = new ManualClock();
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const routing = new RoutingCore({ policy, clock, slowStartSeconds: 0 });
  for (const url of urls) routing.addEndpoint({ url, models: ['m'] });
  routing.eject(urls[0], 'a test says so');
  assert.ok(routing.isEjected(urls[0]));
  clock.advance(3600);
  const causes = [1, 2, 3].map(() => causeOf(routing, routingRequest(prompt)));
  assert.ok(causes.includes('trial'), causes.join());
});
