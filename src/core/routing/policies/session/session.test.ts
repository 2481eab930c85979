import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { RoutingCore } from '../../routing-core.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';
import { SessionPolicy } from './session.ts';

const sessions = Array.from({ length: 3000 }, (_, i) => `user-${i}`);

function fleetOf(engines: number): RoutingCore {
  const policy = new SessionPolicy(new LeastLoadedPolicy(seededRandom(1)));
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (let i = 0; i < engines; i++) {
    core.addEndpoint({ url: `http://engine-${i}:8000`, models: ['m'] });
  }
  return core;
}

function home(core: RoutingCore, session: string): string {
  return core.route(routingRequest('', { session })).pick.endpoint.url;
}

test('a session stays on its engine, and sessions spread evenly', () => {
  const core = fleetOf(8);
  const counts = new Map<string, number>();
  for (const session of sessions) {
    const url = home(core, session);
    assert.equal(home(core, session), url);
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  const fair = sessions.length / 8;
  assert.equal(counts.size, 8);
  for (const count of counts.values()) assert.ok(Math.abs(count - fair) < 0.2 * fair, `${count}`);
});

test('when an engine dies only its own sessions move, and they return with it', () => {
  const core = fleetOf(8);
  const before = sessions.map((session) => home(core, session));
  const dead = 'http://engine-3:8000';
  core.setState(dead, 'dead', 'connection refused');
  sessions.forEach((session, i) => {
    if (before[i] !== dead) assert.equal(home(core, session), before[i]);
    else assert.notEqual(home(core, session), dead);
  });
  core.setState(dead, 'live', 'answers again');
  assert.deepEqual(
    sessions.map((session) => home(core, session)),
    before,
  );
});

test('an engine that joins takes its share and moves no other session', () => {
  const core = fleetOf(7);
  const before = sessions.map((session) => home(core, session));
  core.addEndpoint({ url: 'http://engine-7:8000', models: ['m'] });
  const moved = sessions.filter((session, i) => home(core, session) !== before[i]);
  assert.ok(moved.every((session) => home(core, session) === 'http://engine-7:8000'));
  assert.ok(Math.abs(moved.length - sessions.length / 8) < 100, `${moved.length} moved`);
});

test('a request without a session id is sent to the least loaded engine', () => {
  const core = fleetOf(3);
  const busy = core.route(routingRequest());
  busy.sent();
  const pick = core.route(routingRequest()).pick;
  assert.notEqual(pick.endpoint.url, busy.pick.endpoint.url);
  assert.match(pick.reason, /^no session id; /);
});

test('a session has the same engine at every router and in every version', () => {
  const core = fleetOf(8);
  const homes = sessions.slice(0, 40).map((session) => home(core, session).charAt(14));
  assert.equal(homes.join(''), '1220252620121404373464745554707251620136');
  const reversed = fleetOf(0);
  for (let i = 7; i >= 0; i--) {
    reversed.addEndpoint({ url: `http://engine-${i}:8000`, models: ['m'] });
  }
  for (const session of sessions.slice(0, 40)) {
    assert.equal(home(reversed, session), home(core, session));
  }
});

test('if the URLs of two engines have the same hash, every router picks the lower URL', () => {
  // FNV-1a of both is 1,236,835,963.
  const [lower, higher] = ['http://10.235.251.47:8000', 'http://10.87.0.161:8000'] as const;
  for (const urls of [
    [lower, higher],
    [higher, lower],
  ]) {
    const core = fleetOf(0);
    for (const url of urls) core.addEndpoint({ url, models: ['m'] });
    for (const session of sessions.slice(0, 20)) assert.equal(home(core, session), lower);
  }
});
