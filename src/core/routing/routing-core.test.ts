import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import {
  createPolicy,
  defaultSaturationLimits,
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

test('a request is counted in each stage and leaves nothing behind', () => {
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

test('counts are never negative and end at zero, in whatever order tickets are called', () => {
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

test('the policy is notified of each stage once, with the time to the first byte', () => {
  const calls: string[] = [];
  const { core, clock } = fleet({
    name: 'listener',
    needsTokens: false,
    pick: (_request, [endpoint]) => {
      assert.ok(endpoint);
      return { endpoint, reason: 'first', cachedTokens: 0, scores: undefined };
    },
    onSent: () => calls.push('sent'),
    onFirstByte: (_request, _pick, seconds) => calls.push(`first byte after ${seconds} s`),
    onFinish: (_request, _pick, outcome: Outcome) => calls.push(outcome.status),
  });
  const ticket = core.route(routingRequest());
  for (let i = 0; i < 2; i++) ticket.sent();
  clock.advance(0.25);
  for (let i = 0; i < 2; i++) ticket.firstByte();
  for (let i = 0; i < 2; i++) ticket.finish({ status: 'completed' });
  assert.deepEqual(calls, ['sent', 'first byte after 0.25 s', 'completed']);
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

test('a dead engine is reported with its state, even if it was tried before', () => {
  const { core } = fleet();
  for (const url of urls) core.setState(url, 'dead', 'reset');
  assert.throws(
    () => core.route(routingRequest(), new Set(urls)),
    (error) =>
      error instanceof NoEndpointError &&
      [...error.rejections.values()].every((why) => why === 'is dead (reset)'),
  );
});

test('the error for an unknown model names the engines that did not list theirs, until they do', () => {
  const { core } = fleet();
  const refused = () => {
    try {
      core.route(routingRequest('', { model: 'gpt-5' }));
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail('the model is not known');
  };
  core.addEndpoint({ url: 'http://silent', models: [] });
  assert.equal(refused(), 'The model "gpt-5" does not exist here; known: m, gpt.');
  core.setModelsUnknown('http://silent', 'timed out');
  core.setModelsUnknown('http://a', 'timed out, but it listed some before');
  assert.equal(
    refused(),
    'The model "gpt-5" does not exist here; known: m, gpt, and no list from http://silent (timed out).',
  );
  // Asked again in vain, it stays silent.
  core.addEndpoint({ url: 'http://silent', models: [] });
  assert.match(refused(), /no list from http:\/\/silent \(timed out\)\.$/);
  core.addEndpoint({ url: 'http://mute', models: [] });
  core.setModelsUnknown('http://mute', 'refused');
  assert.match(refused(), /and no list from http:\/\/silent and 1 more \(timed out\)\.$/);
  core.removeEndpoint('http://mute');
  core.addEndpoint({ url: 'http://silent', models: ['n'] });
  assert.equal(refused(), 'The model "gpt-5" does not exist here; known: m, n, gpt.');
  core.addEndpoint({ url: 'http://silent', models: [] });
  assert.match(refused(), /known: m, gpt\.$/);
});

test('the error names the first four of many engines that cannot serve a model', () => {
  const clock = new ManualClock();
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock });
  const refused = () => {
    try {
      core.route(routingRequest());
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail('no engine is live');
  };
  core.addEndpoint({ url: 'e0', models: ['m'], state: 'dead', reason: 'r' });
  for (let i = 1; i < 4; i++)
    core.addEndpoint({ url: `e${i}`, models: ['m'], state: 'dead', reason: 'r' });
  assert.match(refused(), /e0 is dead \(r\); .*e3 is dead \(r\)\. Retry later\.$/);
  core.addEndpoint({ url: 'e4', models: ['m'], state: 'dead', reason: 'r' });
  assert.match(refused(), /e3 is dead \(r\), and 1 more\. Retry later\.$/);
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
  const resetsAfter = [100, 100, undefined, 200, 300, 300].map((startedAtSeconds) => {
    core.setReported('http://a', { ...report, startedAtSeconds });
    return resets.length;
  });
  assert.deepEqual(resetsAfter, [0, 0, 0, 0, 1, 1]);
  core.removeEndpoint('http://b');
  assert.deepEqual(resets, ['http://a', 'http://b']);
});

test('the last picks are kept with their candidates, up to a maximum', () => {
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

test('256 picks are kept by default', () => {
  const { core } = fleet();
  for (let i = 0; i < 300; i++) core.route(routingRequest('', { id: `${i}` }));
  const picks = core.recentPicks();
  assert.equal(picks.length, 256);
  assert.equal(picks[0]?.requestId, '44');
});

test('an engine keeps its state and reason unless it is added again with new ones', () => {
  const { core } = fleet();
  core.setState('http://a', 'dead', 'reset');
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  assert.deepEqual(
    [core.endpoint('http://a')?.state, core.endpoint('http://a')?.reason],
    ['dead', 'reset'],
  );
  core.addEndpoint({ url: 'http://a', models: ['m'], state: 'live', reason: 'answers' });
  assert.deepEqual(
    [core.endpoint('http://a')?.state, core.endpoint('http://a')?.reason],
    ['live', 'answers'],
  );
});

test('calls for an unknown engine change nothing', () => {
  const { core } = fleet();
  assert.equal(core.removeEndpoint('http://x'), false);
  assert.equal(core.setState('http://x', 'dead', 'why'), false);
  core.setReported('http://x', undefined);
  core.endpointRestarted('http://x');
  core.setModelsUnknown('http://x', 'why');
  assert.deepEqual([core.endpoint('http://x'), core.endpoints().length], [undefined, 3]);
  assert.equal(core.removeEndpoint('http://a'), true);
  assert.equal(core.setState('http://b', 'live', 'as before'), false);
  assert.equal(core.setState('http://b', 'dead', 'why'), true);
});

test('a fully cached prompt adds nothing to the prefill ahead', () => {
  const { core } = fleet({
    ...{ name: 'all-cached', needsTokens: false, onEndpointReset: () => {} },
    pick: (_request, [first]) => {
      assert.ok(first);
      return { endpoint: first, reason: '', cachedTokens: 500, scores: undefined };
    },
  });
  core.route(routingRequest('', { promptTokens: 400 })).sent();
  assert.equal(loadOf(core, 'http://a')?.prefillTokens, 0);
  assert.equal(loadOf(core, 'http://a')?.prefilling, 1);
});

test('an engine that is added again gets its new models, and one live engine is enough', () => {
  const { core } = fleet();
  core.addEndpoint({ url: 'http://a', models: ['other'] });
  assert.equal(core.route(routingRequest('', { model: 'other' })).pick.endpoint.url, 'http://a');
  core.removeEndpoint('http://b');
  core.removeEndpoint('http://c');
  assert.equal(core.hasLiveEndpoint, true);
  assert.throws(() => core.route(routingRequest()), NoEndpointError);
});

test('an unknown model is a 404 that lists up to 20 known models', () => {
  const { core } = fleet();
  const models = Array.from({ length: 22 }, (_, i) => `model-${i}`);
  const refused = () => {
    try {
      core.route(routingRequest('', { model: 'gpt-5' }));
    } catch (error) {
      assert.ok(error instanceof UnknownModelError);
      return error;
    }
    return assert.fail('the model is not known');
  };
  core.setAliases(new Map());
  for (const url of urls) core.addEndpoint({ url, models });
  const error = refused();
  assert.equal(error.httpStatus, 404);
  assert.deepEqual(error.knownModels, models);
  assert.equal(
    error.message,
    `The model "gpt-5" does not exist here; known: ${models.slice(0, 20).join(', ')}.`,
  );
});

test('the error of a router without engines says so, and that of one dead engine names it', () => {
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  const any = routingRequest('', { model: undefined });
  assert.throws(() => core.route(any), {
    message: 'No engine can serve this request now: the router has no engines. Add one and retry.',
  });
  core.addEndpoint({ url: 'http://b', models: ['told'] });
  core.addEndpoint({ url: 'http://b', models: ['listed'] });
  assert.throws(() => core.route(routingRequest('', { model: 'told' })), {
    message:
      'No engine serves model "told": the engines list listed. Check the names of models that the router was given.',
  });
  core.removeEndpoint('http://b');
  core.addEndpoint({ url: 'http://a', models: ['m'], state: 'dead', reason: 'reset' });
  assert.throws(() => core.route(any), {
    message: 'No engine can serve this request now: http://a is dead (reset). Retry later.',
  });
});

test('a policy that picks an engine that is not there is an error of the program', () => {
  const stranger = { url: 'http://x', models: ['m'], reported: undefined };
  const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
  const { core } = fleet({
    ...{ name: 'astray', needsTokens: false },
    pick: () => {
      return { endpoint: { ...stranger, load }, reason: '', cachedTokens: 0, scores: undefined };
    },
  });
  assert.throws(() => core.route(routingRequest()), /Policy astray picked http:\/\/x/);
});

test('10,000 model names are remembered after their engines are gone', () => {
  const { core } = fleet();
  for (const url of urls) core.removeEndpoint(url);
  // One model is known from before.
  const models = Array.from({ length: 10_000 }, (_, i) => `model-${i}`);
  core.addEndpoint({ url: 'http://many', models });
  core.removeEndpoint('http://many');
  const route = (model: string) => () => core.route(routingRequest('', { model }));
  assert.throws(route('model-9998'), NoEndpointError);
  assert.throws(route('model-9999'), UnknownModelError);
});

/** Reports of an engine where this many requests wait for memory. */
function waitingReport(waiting: number) {
  return { atSeconds: 0, running: 10, waiting, kvUsage: 0.99 };
}

test('a model has room while one of its engines is not saturated, or none serves it', () => {
  const saturation = defaultSaturationLimits;
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock: new ManualClock(), saturation });
  assert.equal(core.hasRoom('m'), true, 'waiting for an engine that does not exist is no use');
  core.addEndpoint({ url: 'a', models: ['m'] });
  core.addEndpoint({ url: 'b', models: ['m'] });
  core.setReported('a', waitingReport(20));
  assert.deepEqual([core.hasRoom('m'), core.isSaturated('a')], [true, true]);
  core.setReported('b', waitingReport(20));
  assert.equal(core.hasRoom('m'), false);
  core.setState('b', 'dead', 'test');
  assert.equal(core.hasRoom('m'), false);
  core.setState('a', 'dead', 'test');
  assert.equal(core.hasRoom('m'), true);
});

test('with saturation limits, a policy picks among engines with room, unless all are saturated', () => {
  const saturation = defaultSaturationLimits;
  const policy = createPolicy('roundrobin', { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock: new ManualClock(), saturation });
  for (const url of ['a', 'b', 'c']) core.addEndpoint({ url, models: ['m'] });
  core.setReported('b', waitingReport(20));
  const picks = () =>
    new Set([1, 2, 3, 4, 5, 6].map(() => core.route(routingRequest()).pick.endpoint.url));
  assert.deepEqual(picks(), new Set(['a', 'c']));
  core.setReported('a', waitingReport(20));
  core.setReported('c', waitingReport(20));
  assert.equal(picks().size, 3);
});
