import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import {
  createPolicy,
  NoEndpointError,
  type Outcome,
  type Policy,
  RoutingCore,
  UnknownModelError,
} from './index.ts';

const urls = ['http://a', 'http://b', 'http://c'];

function fleet(policy: Policy = createPolicy('roundrobin', { random: seededRandom(1) })) {
  const clock = new ManualClock();
  const core = new RoutingCore({ policy, clock, aliases: new Map([['gpt', 'm']]) });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return { core, clock };
}

const loadOf = (core: RoutingCore, url: string) => core.endpoint(url)?.load;

test('a request is counted in its stages and leaves no trace', () => {
  const { core } = fleet();
  const ticket = core.route(routingRequest('x'.repeat(400)));
  const { url } = ticket.pick.endpoint;
  const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
  assert.deepEqual(loadOf(core, url), idle);
  ticket.sent();
  assert.deepEqual(loadOf(core, url), { ...idle, inflight: 1, prefilling: 1, prefillTokens: 100 });
  ticket.firstByte();
  assert.deepEqual(loadOf(core, url), { ...idle, inflight: 1, decodeTokens: 100 });
  ticket.finish({ status: 'completed' });
  assert.deepEqual(loadOf(core, url), idle);
  assert.deepEqual(core.endpoint(url)?.totals, { requests: 1, errors: 0, retries: 0 });
});

test('whatever order tickets are called in, counts are never negative and end at zero', () => {
  const step = fc.tuple(fc.nat(7), fc.constantFrom('sent', 'firstByte', 'finish', 'remove'));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { core } = fleet();
      const tickets = Array.from({ length: 8 }, () => core.route(routingRequest('some prompt')));
      const endpoints = tickets.map(({ pick }) => pick.endpoint);
      const nonNegative = () => {
        for (const { load } of endpoints) {
          for (const count of Object.values(load)) assert.ok(count >= 0, JSON.stringify(load));
        }
      };
      for (const [index, action] of steps) {
        const ticket = tickets[index];
        if (action === 'sent') ticket?.sent();
        if (action === 'firstByte') ticket?.firstByte();
        if (action === 'finish') ticket?.finish({ status: 'failed' });
        if (action === 'remove') core.removeEndpoint(urls[index % 3] ?? '');
        nonNegative();
      }
      for (const ticket of tickets) ticket.finish({ status: 'cancelled' });
      for (const ticket of tickets) ticket.sent();
      for (const { load } of endpoints) {
        const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
        assert.deepEqual({ ...load }, idle);
      }
    }),
  );
});

test('the policy hears of each stage once, with the time to the first byte', () => {
  const heard: string[] = [];
  const { core, clock } = fleet({
    name: 'listener',
    needsTokens: false,
    pick: (_request, [endpoint]) => {
      assert.ok(endpoint);
      return { endpoint, reason: 'first', cachedTokens: 0, scores: undefined };
    },
    onSent: () => heard.push('sent'),
    onFirstByte: (_request, _pick, seconds) => heard.push(`first byte after ${seconds} s`),
    onFinish: (_request, _pick, outcome: Outcome) => heard.push(outcome.status),
  });
  const ticket = core.route(routingRequest());
  for (let i = 0; i < 2; i++) ticket.sent();
  clock.advance(0.25);
  for (let i = 0; i < 2; i++) ticket.firstByte();
  for (let i = 0; i < 2; i++) ticket.finish({ status: 'completed' });
  assert.deepEqual(heard, ['sent', 'first byte after 0.25 s', 'completed']);
});

test('only live engines that serve the model and were not tried are candidates', () => {
  const { core } = fleet();
  core.addEndpoint({ url: 'http://other', models: ['n'] });
  core.setState('http://a', 'dead', 'connection refused');
  core.setState('http://b', 'draining', 'SIGTERM');
  for (let i = 0; i < 5; i++) {
    assert.equal(core.route(routingRequest()).pick.endpoint.url, 'http://c');
  }
  assert.throws(
    () => core.route(routingRequest(), new Set(['http://c'])),
    (error) =>
      error instanceof NoEndpointError &&
      error.httpStatus === 503 &&
      error.message ===
        'No engine can serve model "m" now: http://a is dead (connection refused); ' +
          'http://b is draining (SIGTERM); http://c was already tried. Retry later.',
  );
  core.setState('http://a', 'live', 'answers again');
  assert.equal(core.route(routingRequest(), new Set(['http://c'])).pick.endpoint.url, 'http://a');
});

test('a model that no engine ever served is unknown; one whose engines left is unavailable', () => {
  const { core } = fleet();
  assert.throws(() => core.route(routingRequest('', { model: 'gpt-5' })), UnknownModelError);
  assert.equal(core.hasLiveEndpoint, true);
  for (const url of urls) core.removeEndpoint(url);
  assert.throws(() => core.route(routingRequest()), NoEndpointError);
  assert.equal(core.hasLiveEndpoint, false);
});

test('an alias routes to its model, and a request without a model to any engine', () => {
  const { core } = fleet();
  core.route(routingRequest('', { model: 'gpt' }));
  core.route(routingRequest('', { model: undefined }));
  assert.deepEqual(
    core.recentPicks().map(({ model }) => model),
    ['m', undefined],
  );
});

test('a retry is counted at the engine that takes it over, an error at the one that failed', () => {
  const { core } = fleet();
  const first = core.route(routingRequest());
  first.sent();
  first.finish({ status: 'failed' });
  const second = core.route(routingRequest(), new Set([first.pick.endpoint.url]));
  second.sent();
  second.finish({ status: 'completed' });
  const totals = (url: string) => core.endpoint(url)?.totals;
  assert.deepEqual(totals(first.pick.endpoint.url), { requests: 1, errors: 1, retries: 0 });
  assert.deepEqual(totals(second.pick.endpoint.url), { requests: 1, errors: 0, retries: 1 });
});

test('a new start time of the engine process resets what the policy knows of its cache', () => {
  const resets: string[] = [];
  const base = createPolicy('roundrobin', { random: seededRandom(1) });
  const { core } = fleet({
    name: base.name,
    needsTokens: false,
    pick: (request, endpoints, now) => base.pick(request, endpoints, now),
    onEndpointReset: ({ url }) => resets.push(url),
  });
  const report = { atSeconds: 0, running: 0, waiting: 0, kvUsage: 0 };
  for (const startedAtSeconds of [100, 100, undefined, 200, 300]) {
    core.setReported('http://a', { ...report, startedAtSeconds });
  }
  core.removeEndpoint('http://b');
  assert.deepEqual(resets, ['http://a', 'http://b']);
});

test('the last picks are kept with their candidates, up to a bound', () => {
  const clock = new ManualClock();
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock, recentPicksMax: 2 });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  for (const id of ['1', '2', '3']) core.route(routingRequest('', { id }));
  assert.deepEqual(
    core.recentPicks().map(({ requestId, url, candidates }) => [requestId, url, candidates]),
    [
      ['2', 'http://b', urls],
      ['3', 'http://c', urls],
    ],
  );
});
