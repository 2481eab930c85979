// The share of an engine that has just started, with each policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import { createPolicy, policyNames } from './policy-table.ts';
import { RoutingCore } from './routing-core.ts';

function fleet(policy: string, urls: string, slowStartSeconds?: number) {
  const clock = new ManualClock(100);
  const core = new RoutingCore({
    policy: createPolicy(policy, { random: seededRandom(1) }),
    ...{ clock, slowStartSeconds },
  });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  let number = 0;
  /** Serves requests one after the other, evenly over some seconds; returns how many an engine got. */
  const serve = (requests: number, seconds: number, url: string): number => {
    let got = 0;
    for (let i = 0; i < requests; i++) {
      number++;
      const request = { ...routingRequest(`prompt ${number}`), session: `user ${number}` };
      const ticket = core.route(request);
      ticket.sent();
      clock.advance(seconds / requests);
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
      if (ticket.pick.endpoint.url === url) got++;
    }
    return got;
  };
  return { core, clock, serve };
}

test('engines that start together have equal shares', () => {
  const { serve } = fleet('roundrobin', 'abcd');
  assert.equal(serve(400, 10, 'a'), 100);
});

test('an engine that joins a fleet begins with a tenth of its share, with every policy', () => {
  for (const policy of policyNames) {
    const { core, serve } = fleet(policy, 'abc');
    serve(300, 20, 'a');
    core.addEndpoint({ url: 'd', models: ['m'] });
    const first = serve(100, 1, 'd');
    assert.ok(first <= 8, `${policy}: ${first} of the first 100`);
    if (policy === 'session') continue;
    serve(900, 9, 'd');
    const later = serve(200, 2, 'd');
    assert.ok(later >= 40, `${policy}: ${later} of 200`);
  }
});

test('its share grows to a full one in 10 s', () => {
  const { core, serve } = fleet('roundrobin', 'abc');
  serve(300, 20, 'a');
  core.addEndpoint({ url: 'd', models: ['m'] });
  const got = Array.from({ length: 12 }, () => serve(100, 1, 'd'));
  assert.ok((got[0] ?? 0) <= 8, String(got));
  const middle = got[5] ?? 0;
  assert.ok(middle >= 8 && middle <= 22, String(got));
  assert.deepEqual(got.slice(10), [25, 25]);
});

test('an engine that is back, restarted, or no longer ejected starts slowly too', () => {
  const starts: Readonly<Record<string, (core: RoutingCore) => void>> = {
    back: (core) => {
      core.setState('a', 'dead', 'test');
      core.setState('a', 'live', 'test');
    },
    restarted: (core) => {
      const report = { atSeconds: 0, running: 0, waiting: 0, kvUsage: 0 };
      core.setReported('a', { ...report, startedAtSeconds: 1 });
      core.setReported('a', { ...report, startedAtSeconds: 2 });
    },
  };
  for (const [what, start] of Object.entries(starts)) {
    const { core, serve } = fleet('leastloaded', 'abc');
    serve(300, 20, 'a');
    start(core);
    const got = serve(100, 1, 'a');
    assert.ok(got >= 1 && got <= 12, `${what}: ${got}`);
  }
});

test('a session that has moved to the engine stays there while its share grows', () => {
  const { core, clock } = fleet('session', 'abc');
  clock.advance(20);
  core.addEndpoint({ url: 'd', models: ['m'] });
  const moved = new Set<number>();
  for (let second = 0; second <= 10; second++) {
    for (let user = 0; user < 200; user++) {
      const { url } = core.route({ ...routingRequest('x'), session: `user ${user}` }).pick.endpoint;
      assert.ok(url === 'd' || !moved.has(user), `user ${user} left after ${second} s`);
      if (url === 'd') moved.add(user);
    }
    clock.advance(1);
  }
  assert.ok(moved.size >= 25, String(moved.size));
});

test('without a slow start an engine takes its share at once', () => {
  const { core, serve } = fleet('roundrobin', 'abc', 0);
  serve(300, 20, 'a');
  core.addEndpoint({ url: 'd', models: ['m'] });
  assert.equal(serve(100, 1, 'd'), 25);
});

test('an engine that starts serves the requests that no other can serve', () => {
  const { core, serve } = fleet('roundrobin', 'ab');
  serve(10, 20, 'a');
  core.setState('a', 'dead', 'test');
  core.setState('a', 'live', 'test');
  core.setState('b', 'dead', 'test');
  assert.equal(serve(10, 1, 'a'), 10);
});

test('an engine that was ejected begins with a part of its share, too, once it has passed its trials', () => {
  const { core, clock, serve } = fleet('roundrobin', 'abcd');
  serve(400, 20, 'a');
  core.eject('a', 'it was stuck');
  clock.advance(2);
  for (let i = 0; i < 100 && core.isEjected('a'); i++) serve(1, 0.05, 'a');
  assert.equal(core.isEjected('a'), false);
  const first = serve(100, 1, 'a');
  assert.ok(first > 0 && first < 12, `${first} of 100 requests`);
  serve(400, 20, 'a');
  assert.equal(serve(400, 10, 'a'), 100);
});

test('an engine that was dead for long starts slowly when it is back', () => {
  const { core, serve } = fleet('roundrobin', 'abcd');
  serve(400, 20, 'a');
  core.setState('a', 'dead', 'test');
  serve(300, 60, 'a');
  core.setState('a', 'live', 'test');
  const first = serve(100, 1, 'a');
  assert.ok(first > 0 && first < 12, `${first} of 100 requests`);
});

test('a model is without an engine since the last one stopped being live, whatever follows', () => {
  const { core, clock } = fleet('roundrobin', 'ab');
  const since = () => core.secondsWithoutEngine(routingRequest('x'));
  core.setState('b', 'dead', 'test');
  clock.advance(5);
  assert.equal(since(), undefined);
  core.setState('a', 'dead', 'test');
  clock.advance(10);
  core.setState('a', 'starting', 'test');
  core.setState('b', 'dead', 'again');
  clock.advance(10);
  assert.equal(since(), 20);
  core.setState('a', 'live', 'test');
  assert.equal(since(), undefined);
});

test('routers, also of other versions, agree on the sessions that an engine gets while it starts', () => {
  const clock = new ManualClock(100);
  const starting: boolean[] = [];
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const { name, needsTokens } = policy;
  const pick: typeof policy.pick = (request, endpoints, now) => {
    starting.push(endpoints.some(({ url }) => url === 'http://new'));
    return policy.pick(request, endpoints, now);
  };
  const core = new RoutingCore({ policy: { name, needsTokens, pick }, clock });
  core.addEndpoint({ url: 'http://old', models: ['m'] });
  clock.advance(20);
  core.addEndpoint({ url: 'http://new', models: ['m'] });
  // All but started, so it is for about half of them.
  clock.advance(9.99);
  for (let i = 0; i < 128; i++) core.route(routingRequest('x', { session: `user ${i}` }));
  const bits = starting.map((is) => (is ? '1' : '0')).join('');
  assert.equal(BigInt(`0b${bits}`).toString(16), '50d15acf6d0167dfb79d15c906bde1d5');
});
