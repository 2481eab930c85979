// One attempt: what it tells the policy, and when it says whether an engine works.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import { createPolicy, type Endpoint, type Policy, RoutingCore } from './index.ts';

function coreOf(overrides: Partial<Policy> = {}) {
  const clock = new ManualClock(10);
  const policy: Policy = {
    ...{ name: 'first', needsTokens: false },
    pick: (_request, [endpoint]) => ({
      ...{ endpoint: endpoint as Endpoint, reason: 'first', cachedTokens: 30, scores: undefined },
      predictedSeconds: 0.5,
    }),
    ...overrides,
  };
  const core = new RoutingCore({ policy, clock, slowStartSeconds: 0 });
  for (const url of ['a', 'b']) core.addEndpoint({ url, models: ['m'] });
  return { core, clock };
}

test('a ticket shows its request, the tokens to compute, and the predicted wait of a stream', () => {
  const { core } = coreOf();
  const request = routingRequest('', { promptTokens: 100 });
  const ticket = core.route(request);
  assert.equal(ticket.request, request);
  assert.equal(ticket.prefillTokens, 70);
  assert.equal(ticket.predictedSeconds, 0.5);
  // Without streaming the first byte comes with the last token.
  assert.equal(core.route({ ...request, stream: false }).predictedSeconds, undefined);
});

test('the policy learns how long an attempt had taken when another engine was first, if it still waits', () => {
  const outrun: number[][] = [];
  const { core, clock } = coreOf({
    onOutrun: (_request, _pick, seconds, nowSeconds) => outrun.push([seconds, nowSeconds]),
  });
  const ticket = core.route(routingRequest());
  ticket.outrun();
  assert.deepEqual(outrun, [], 'it was not sent');
  ticket.sent();
  clock.advance(3);
  ticket.outrun();
  assert.deepEqual(outrun, [[3, 13]]);
  ticket.firstByte();
  ticket.outrun();
  assert.equal(outrun.length, 1, 'its own first byte has come');
});

test('a trial that ends before it is sent decides nothing, so the next request is the trial', () => {
  const { core, clock } = coreOf();
  core.eject('a', 'test');
  clock.advance(1);
  const trial = core.route(routingRequest());
  assert.equal(trial.cause, 'trial');
  assert.notEqual(core.route(routingRequest()).cause, 'trial');
  trial.finish({ status: 'cancelled' });
  const next = core.route(routingRequest());
  assert.equal(next.cause, 'trial');
  next.sent();
  next.firstByte();
  next.progressed();
  const third = core.route(routingRequest());
  assert.equal(third.cause, 'trial');
  // The end of a trial that has already told its verdict leaves the one that is under way alone.
  next.finish({ status: 'completed' });
  next.finish({ status: 'completed' });
  assert.notEqual(core.route(routingRequest()).cause, 'trial');
});

test('predictive predicts the first byte of a stream once it has seen eight steps of the engine', () => {
  const clock = new ManualClock();
  const policy = createPolicy('predictive', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock });
  core.addEndpoint({ url: 'a', models: ['m'] });
  const endpoint = [...core.liveView()][0] as Endpoint;
  assert.equal(policy.waitSeconds?.(endpoint, 0), undefined, 'nothing is known of it');
  for (let i = 0; i < 9; i++) {
    const ticket = core.route(routingRequest(`${i} `.repeat(2000)));
    assert.equal(ticket.predictedSeconds, undefined);
    ticket.sent();
    clock.advance(0.2);
    ticket.firstByte();
    ticket.finish({ status: 'completed' });
  }
  const seen = core.route(routingRequest('again '.repeat(600)));
  const { predictedSeconds = 0 } = seen;
  assert.ok(predictedSeconds > 0.1 && predictedSeconds < 0.3, `${predictedSeconds} s`);
  assert.match(
    seen.pick.reason,
    new RegExp(`^first token predicted in ${predictedSeconds.toFixed(3)} s`),
  );
  seen.sent();
  assert.ok(
    Math.abs((policy.waitSeconds?.(endpoint, clock.nowSeconds()) ?? 0) - predictedSeconds) < 0.01,
  );
  const whole = core.route(routingRequest('whole '.repeat(600), { stream: false }));
  whole.sent();
  seen.finish({ status: 'cancelled' });
  // A response in one piece leaves the queue after its predicted time.
  assert.equal(policy.waitSeconds?.(endpoint, clock.nowSeconds() + 60), 0);
});

test('peers are told that an engine broke only if the attempt failed after the engine had the request', () => {
  const broke: unknown[] = [];
  const core = new RoutingCore({
    ...{
      policy: createPolicy('roundrobin', { random: seededRandom(1) }),
      clock: new ManualClock(),
    },
    onUpdate: (update) => {
      if (update.kind === 'finished') broke.push([update.status, 'broke' in update]);
    },
  });
  core.addEndpoint({ url: 'a', models: ['m'] });
  for (const isBroken of [false, true]) {
    for (const status of ['failed', 'completed', 'cancelled'] as const) {
      const ticket = core.route(routingRequest());
      ticket.sent();
      if (isBroken) ticket.broke();
      ticket.finish({ status });
    }
  }
  const none = [
    ['completed', false],
    ['cancelled', false],
  ];
  assert.deepEqual(broke, [['failed', false], ...none, ['failed', true], ...none]);
});
