// Which engines a core picks among: hedges, pinned requests, ejections, and engines that come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock } from '../base/index.ts';
import {
  defaultSaturationLimits,
  type Endpoint,
  NoEndpointError,
  type Policy,
  RoutingCore,
  type RoutingCoreOptions,
} from './index.ts';

/** Picks the first candidate, and keeps the candidates of the last pick. */
function firstOf() {
  const seen: { candidates: readonly Endpoint[] } = { candidates: [] };
  const policy: Policy = {
    name: 'first',
    needsTokens: false,
    pick: (_request, candidates) => {
      seen.candidates = candidates;
      const [endpoint] = candidates as [Endpoint];
      return { endpoint, reason: 'first', cachedTokens: 0, scores: undefined };
    },
  };
  return { policy, seen };
}

function fleet(options: Partial<RoutingCoreOptions> = {}, urls = ['a', 'b', 'c', 'd']) {
  const { policy, seen } = firstOf();
  const clock = new ManualClock();
  const core = new RoutingCore({ policy, clock, slowStartSeconds: 0, ...options });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  const candidates = () => {
    core.route(routingRequest());
    return seen.candidates;
  };
  const urlsOf = (endpoints: readonly Endpoint[]) => endpoints.map(({ url }) => url).join('');
  return { core, clock, policy, seen, candidates, urlsOf };
}

test('a hedge goes to the idle engines that are neither ejected nor have the request', () => {
  const { core, seen, urlsOf } = fleet({}, ['a', 'b', 'c', 'd', 'e']);
  core.setReported('b', { atSeconds: 0, running: 1, waiting: 1, kvUsage: 0 });
  core.eject('c', 'test');
  const hedge = core.routeHedge(routingRequest(), new Set(['a']));
  assert.equal(urlsOf(seen.candidates), 'de');
  assert.equal(hedge?.pick.endpoint.url, 'd');
  hedge?.sent();
  assert.deepEqual(core.endpoint('d')?.totals, { requests: 1, errors: 0, retries: 0 });
  assert.equal(core.routeHedge(routingRequest(), new Set(['a', 'd', 'e'])), undefined);
  assert.match(core.recentPicks().at(-1)?.reason ?? '', /^hedge, /);
});

test('a request for one engine goes there only, and does not wait for it', () => {
  const { core, seen, urlsOf } = fleet();
  const pinned = routingRequest('', { pinnedUrl: 'b' });
  assert.equal(core.route(pinned).pick.endpoint.url, 'b');
  assert.equal(urlsOf(seen.candidates), 'b');
  core.setState('b', 'dead', 'test');
  assert.throws(() => core.route(pinned), NoEndpointError);
  assert.equal(core.secondsWithoutEngine(pinned), Number.POSITIVE_INFINITY);
});

test('an engine that gets no other requests gets the one that only it can serve, once', () => {
  const { core } = fleet();
  const kept = routingRequest('', { pinnedUrl: 'b', isKept: true });
  for (const state of ['draining', 'asleep', 'dead', 'starting'] as const) {
    core.setState('b', state, 'test');
    assert.equal(core.route(kept).pick.endpoint.url, 'b');
    assert.throws(() => core.route(routingRequest('', { pinnedUrl: 'b' })), NoEndpointError);
    assert.throws(() => core.route(kept, new Set(['b'])), NoEndpointError);
  }
  core.removeEndpoint('b');
  assert.throws(() => core.route(kept), NoEndpointError);
});

test('a request that nothing has failed yet is no retry', () => {
  const { core, clock } = fleet();
  core.eject('a', 'test');
  clock.advance(1);
  const ticket = core.route(routingRequest(), new Set());
  assert.equal(ticket.cause, 'trial');
  ticket.sent();
  assert.equal(core.endpoint('a')?.totals.retries, 0);
});

test('an ejected engine that is removed leaves nothing behind', () => {
  const { core, candidates } = fleet();
  core.eject('a', 'test');
  assert.notEqual(candidates(), candidates(), 'a list without the ejected engine');
  core.removeEndpoint('a');
  assert.equal(candidates(), candidates());
});

test('an engine is ejected among those of its own model', () => {
  const { core } = fleet({}, ['a', 'b']);
  for (const url of ['x', 'y']) core.addEndpoint({ url, models: ['other'] });
  core.eject('a', 'test');
  core.eject('b', 'test');
  core.eject('nobody', 'test');
  assert.deepEqual([core.isEjected('a'), core.isEjected('b')], [true, false]);
});

test('an engine that was live all along does not start slowly when it is said to be live', () => {
  const { core, clock, seen, candidates, urlsOf } = fleet({ slowStartSeconds: 10 }, ['a', 'b']);
  clock.advance(20);
  candidates();
  core.setState('a', 'live', 'checked again');
  for (let i = 0; i < 20; i++) {
    candidates();
    assert.equal(urlsOf(seen.candidates), 'ab');
  }
  core.setState('a', 'dead', 'test');
  core.setState('a', 'live', 'back');
  const full = Array.from({ length: 100 }, () => urlsOf(candidates())).filter((of) => of === 'ab');
  assert.equal(full.length, 9, 'a tenth of the share of two engines');
});

test('an engine without a session to keep is considered evenly: neither first nor in a row', () => {
  const { core, clock, candidates, urlsOf } = fleet({ slowStartSeconds: 10 }, ['a', 'b']);
  clock.advance(20);
  candidates();
  core.addEndpoint({ url: 'c', models: ['m'] });
  // Half of its time is over: a fifth of all requests are for it.
  clock.advance(5);
  const at = Array.from({ length: 1000 }, () => urlsOf(candidates())).flatMap((of, i) =>
    of === 'abc' ? [i] : [],
  );
  assert.ok(Math.abs(at.length - 200) <= 2, `${at.length} of 1000`);
  const gaps = at.slice(1).map((index, i) => index - (at[i] as number));
  assert.equal(at[0], 1);
  assert.ok(Math.min(...gaps) >= 3, String(gaps));
  assert.ok(Math.max(...gaps) <= 8, String(gaps));
});

test('sessions whose names differ in one character are spread over an engine that starts', () => {
  const { core, clock, seen, candidates } = fleet({ slowStartSeconds: 10 }, ['a', 'b']);
  clock.advance(20);
  candidates();
  core.addEndpoint({ url: 'c', models: ['m'] });
  clock.advance(5);
  const isFor = [...'abcdefghijklmnopqrstuvwxyz'].map((session) => {
    core.route(routingRequest('', { session }));
    return seen.candidates.length === 3;
  });
  const count = isFor.filter(Boolean).length;
  assert.ok(count >= 1 && count <= 10, `${count} of 26 sessions`);
});

test('an engine that starts for another model leaves the candidates of this one as they are', () => {
  const { core, clock, candidates } = fleet({ slowStartSeconds: 10 }, ['a', 'b']);
  clock.advance(20);
  candidates();
  core.addEndpoint({ url: 'x', models: ['other'] });
  assert.equal(candidates(), candidates());
});

test('without a slow start a new engine is a candidate of every request at once', () => {
  const { core, clock, candidates } = fleet({ slowStartSeconds: 0 }, ['a']);
  clock.advance(20);
  candidates();
  core.addEndpoint({ url: 'b', models: ['m'] });
  for (let i = 0; i < 10; i++) assert.equal(candidates().length, 2);
});

test('what a core knows of its engines can be read', () => {
  const aliases = new Map([['gpt', 'm']]);
  const { core, policy } = fleet({ aliases });
  assert.equal(core.policy, policy);
  assert.equal(core.aliases, aliases);
  assert.deepEqual(
    Array.from(core.liveView(), ({ url }) => url),
    ['a', 'b', 'c', 'd'],
  );
  assert.equal(core.stateOf('a'), 'live');
  assert.equal(core.stateOf('nobody'), undefined);
  core.setState('a', 'asleep', 'test');
  assert.equal(core.stateOf('a'), 'asleep');
  assert.deepEqual([core.candidateCount('m'), core.candidateCount('n')], [3, 0]);
  assert.deepEqual(
    [core.mayReturn('m'), core.mayReturn('gpt'), core.mayReturn('n')],
    [false, false, false],
  );
  for (const url of ['a', 'b', 'c', 'd']) core.removeEndpoint(url);
  assert.deepEqual(
    [core.mayReturn('m'), core.mayReturn('gpt'), core.mayReturn('n')],
    [true, true, false],
  );
});

test('without limits no engine is saturated, and every model has room', () => {
  const full = { atSeconds: 0, running: 10, waiting: 500, kvUsage: 0.99 };
  for (const [saturation, expected] of [
    [undefined, false],
    [defaultSaturationLimits, true],
  ] as const) {
    const { core } = fleet({ saturation }, ['a', 'b']);
    assert.equal(core.isSaturated('a'), false);
    for (const url of ['a', 'b']) core.setReported(url, full);
    assert.equal(core.isSaturated('a'), expected);
    assert.equal(core.hasRoom('m'), !expected);
    assert.equal(core.isSaturated('nobody'), false);
  }
});
