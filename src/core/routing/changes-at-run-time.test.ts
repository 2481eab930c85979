// Engines, aliases and the policy change while requests are in flight.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock } from '../base/index.ts';
import { type AttemptUpdate, type Policy, RoutingCore, UnknownModelError } from './index.ts';

const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };

test('a new policy makes the next picks, and attempts in flight end with the policy that picked them', () => {
  const calls: string[] = [];
  const named = (name: string): Policy => ({
    name,
    needsTokens: false,
    pick: (_request, [endpoint]) => {
      assert.ok(endpoint);
      return { endpoint, reason: name, cachedTokens: 0, scores: undefined };
    },
    onFinish: (_request, { reason }) => calls.push(`${name} is notified of a pick of ${reason}`),
  });
  const aliases = new Map([['gpt', 'm']]);
  const core = new RoutingCore({ policy: named('first'), clock: new ManualClock(), aliases });
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  const before = core.route(routingRequest());
  before.sent();
  core.setPolicy(named('second'));
  core.setAliases(new Map([['chat', 'm']]));
  const after = core.route(routingRequest('', { model: 'chat' }));
  after.sent();
  for (const ticket of [before, after]) ticket.finish({ status: 'completed' });
  assert.deepEqual(calls, [
    'first is notified of a pick of first',
    'second is notified of a pick of second',
  ]);
  assert.throws(() => core.route(routingRequest('', { model: 'gpt' })), UnknownModelError);
  assert.equal(core.policy.name, 'second');
});

test('when an engine is removed, the attempts of peer routers there are dropped', () => {
  const policy: Policy = {
    name: 'first',
    needsTokens: false,
    pick: (_request, [endpoint]) => {
      assert.ok(endpoint);
      return { endpoint, reason: 'first', cachedTokens: 0, scores: undefined };
    },
  };
  const clock = new ManualClock();
  const b = new RoutingCore({ policy, clock });
  const onUpdate = (update: AttemptUpdate) => b.receive('a', update);
  const a = new RoutingCore({ policy, clock, onUpdate });
  for (const core of [a, b]) core.addEndpoint({ url: 'http://b', models: ['m'] });
  const ticket = a.route(routingRequest('', { promptTokens: 100 }));
  ticket.sent();
  assert.equal(b.endpoint('http://b')?.load.inflight, 1);
  b.removeEndpoint('http://b');
  b.addEndpoint({ url: 'http://b', models: ['m'] });
  ticket.firstByte();
  ticket.finish({ status: 'completed' });
  assert.deepEqual(b.endpoint('http://b')?.load, idle);
});

test('removing an engine ends the attempts of peer routers there once, and no others', () => {
  const ended: string[] = [];
  const core = new RoutingCore({ policy: adopter('only', [], ended), clock: new ManualClock() });
  const send = (url: string, attempt: number) => {
    const prompt = { promptTokens: 10, cachedTokens: 0, stream: true, blocks: undefined };
    core.receive('peer', { kind: 'sent', attempt, url, ...prompt });
  };
  for (const url of ['http://a', 'http://b']) core.addEndpoint({ url, models: ['m'] });
  send('http://a', 0);
  send('http://b', 1);
  core.removeEndpoint('http://a');
  assert.deepEqual(ended, ['http://a cancelled']);
  assert.equal(core.endpoint('http://b')?.load.inflight, 1);
  // The engine is back, and the peer repeats what it has in flight there.
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  send('http://a', 0);
  assert.equal(core.endpoint('http://a')?.load.inflight, 1);
  for (const attempt of [0, 1]) {
    core.receive('peer', { kind: 'finished', attempt, status: 'completed' });
  }
  assert.deepEqual(ended.slice(1), ['http://a completed', 'http://b completed']);
});

test('new attempts of peer routers go to the new policy', () => {
  const [before, after]: [string[], string[]] = [[], []];
  const core = new RoutingCore({ policy: adopter('old', before, []), clock: new ManualClock() });
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  const about = { url: 'http://a', promptTokens: 10, cachedTokens: 0, stream: true };
  core.receive('peer', { kind: 'sent', attempt: 0, ...about, blocks: undefined });
  core.setPolicy(adopter('new', after, []));
  core.receive('peer', { kind: 'sent', attempt: 1, ...about, blocks: undefined });
  assert.deepEqual([before, after], [['peer/0'], ['peer/1']]);
});

/** Records the ids of the attempts that it adopts, and how each of them ends. */
function adopter(name: string, adopted: string[], ended: string[]): Policy {
  return {
    name,
    needsTokens: false,
    pick: () => assert.fail('nothing is routed here'),
    adopt: ({ id }, endpoint, cachedTokens) => {
      adopted.push(id);
      return { endpoint, reason: name, cachedTokens, scores: undefined };
    },
    onFinish: (_request, { endpoint }, { status }) => ended.push(`${endpoint.url} ${status}`),
  };
}
