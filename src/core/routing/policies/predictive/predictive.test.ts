import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../../kv/index.ts';
import type { Outcome, RoutingRequest } from '../../contract.ts';
import { EndpointRecord } from '../../endpoint-record.ts';
import { RoutingCore } from '../../routing-core.ts';
import type { Ticket } from '../../ticket.ts';
import { PredictivePolicy } from './predictive.ts';

const tokensPerSecond = 20_000;

function fleetOf(urls: string) {
  const clock = new ManualClock();
  const core = new RoutingCore({ policy: new PredictivePolicy(seededRandom(1)), clock });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  const send = (request: RoutingRequest): Ticket => {
    const ticket = core.route(request);
    ticket.sent();
    return ticket;
  };
  /** Sends a request to an otherwise idle engine and lets it respond at its speed. */
  const serve = (request: RoutingRequest, speeds: Record<string, number> = {}): string => {
    const ticket = send(request);
    const { endpoint, cachedTokens } = ticket.pick;
    const speed = speeds[endpoint.url] ?? tokensPerSecond;
    clock.advance(0.01 + (request.promptTokens - cachedTokens) / speed);
    ticket.firstByte();
    ticket.finish({ status: 'completed' });
    return endpoint.url;
  };
  return { core, clock, send, serve };
}

/** 4 bytes per token: a prompt of this many tokens with a new prefix. */
const fresh = (name: string, tokens = 4000) =>
  routingRequest(`${name} and `.repeat(tokens).slice(0, 4 * tokens));

const count = (urls: string[], url: string) => urls.filter((u) => u === url).length;

test('a conversation returns to the engine that has it cached', () => {
  const { serve } = fleetOf('abcd');
  for (let i = 0; i < 12; i++) serve(fresh(`other ${i}`));
  const opening = 'we talk about rivers '.repeat(800);
  const home = serve(routingRequest(opening));
  for (let turn = 1; turn < 6; turn++) {
    serve(fresh(`between ${turn}`));
    assert.equal(serve(routingRequest(opening + 'and dams '.repeat(100 * turn))), home);
  }
});

test('an engine that refuses a long prompt gets its share of the others', () => {
  for (const stream of [true, false]) {
    const { clock, send, serve } = fleetOf('abcd');
    for (let i = 0; i < 4; i++) serve(fresh(`first ${i}`, 300));
    const long = send({ ...fresh('long', 60_000), stream });
    clock.advance(0.02);
    long.finish({ status: 'completed', isRefused: true });
    const urls = Array.from({ length: 100 }, (_, i) => serve(fresh(`next ${i}`, 300)));
    for (const url of 'abcd') assert.ok(count(urls, url) >= 20, `${url}: ${count(urls, url)}`);
  }
});

test('the reason states the prediction and its inputs', () => {
  const { core, serve } = fleetOf('a');
  serve(fresh('x'));
  assert.match(
    core.route(fresh('x')).pick.reason,
    /^first token predicted in 0\.\d{3} s: 3\d{3} of 4000 tokens cached, 0\.000 s of prefill ahead$/,
  );
});

test('the warm engine is left when waiting there costs more than recomputing', () => {
  const { serve, send } = fleetOf('ab');
  for (let i = 0; i < 20; i++) serve(fresh(`warm up ${i}`));
  const document = 'a long document about spillways '.repeat(250);
  const home = serve(routingRequest(document));
  const question = () => routingRequest(`${document}${'?'.repeat(400)}`);
  assert.equal(send(question()).pick.endpoint.url, home);
  // Two long prompts, one per engine or both on the cold one, then a pile on the warm one.
  const busy = [];
  while (busy.length < 50) {
    const url: string = send(fresh(`long ${busy.length}`, 30_000)).pick.endpoint.url;
    busy.push(url);
    if (url === home) break;
  }
  assert.ok(count(busy, home) === 1, 'the warm engine gets its share of long prompts');
  const next = send(question()).pick;
  const waits = next.scores?.map((score) => score.toFixed(1));
  assert.notEqual(next.endpoint.url === home, next.cachedTokens === 0, `scores ${waits}`);
});

test('a shared first block does not draw all requests to one engine', () => {
  const { serve } = fleetOf('abcd');
  const shared = 'the same system prompt for everybody '.repeat(50);
  const picks = Array.from({ length: 200 }, (_, i) =>
    serve(routingRequest(`${shared}${`question ${i} `.repeat(600)}`)),
  );
  for (const url of 'abcd') {
    const share = count(picks, url);
    assert.ok(share >= 40 && share <= 60, `${url} got ${share} of 200`);
  }
});

test('an engine that is three times slower gets the smallest share', () => {
  const { core, clock } = fleetOf('abcd');
  // Each engine works first come, first served; events are replayed in order of time.
  const freeAt: Record<string, number> = {};
  const firstBytes: { at: number; ticket: Ticket }[] = [];
  const shares: string[] = [];
  for (let i = 0; i < 400; i++) {
    const now = i * 0.04;
    firstBytes.sort((x, y) => x.at - y.at);
    while (firstBytes[0] && firstBytes[0].at <= now) {
      const { at, ticket } = firstBytes.shift() as (typeof firstBytes)[0];
      clock.advanceTo(at);
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
    }
    clock.advanceTo(now);
    const ticket = core.route(fresh(`prompt ${i}`, 2000));
    ticket.sent();
    const { url } = ticket.pick.endpoint;
    const seconds = 2000 / (url === 'b' ? tokensPerSecond / 3 : tokensPerSecond);
    freeAt[url] = Math.max(freeAt[url] ?? 0, now) + seconds;
    firstBytes.push({ at: freeAt[url], ticket });
    if (i >= 100) shares.push(url);
  }
  const slow = count(shares, 'b') / shares.length;
  assert.ok(slow < 0.16, `the slow engine got ${slow} of the requests`);
});

test('an engine that stops responding gets no more requests', () => {
  const { core, clock, send, serve } = fleetOf('ab');
  for (let i = 0; i < 20; i++) serve(fresh(`warm up ${i}`));
  const silent = send(fresh('the last words')).pick.endpoint.url;
  clock.advance(2);
  for (let i = 0; i < 20; i++) assert.notEqual(serve(fresh(`after ${i}`)), silent);
  assert.equal(core.endpoint(silent)?.load.inflight, 1);
});

test('an engine that reports a full KV cache is avoided while another has space', () => {
  const { core, clock, serve } = fleetOf('ab');
  const report = { running: 50, blocksTotal: 1000, blockTokens: 16 };
  core.setReported('a', { ...report, atSeconds: 0, waiting: 9, kvUsage: 0.99 });
  core.setReported('b', { ...report, atSeconds: 0, waiting: 0, kvUsage: 0.2 });
  for (let i = 0; i < 5; i++) assert.equal(serve(fresh(`prompt ${i}`)), 'b');
  // What was said a minute ago says nothing of now.
  clock.advance(60);
  const later = Array.from({ length: 10 }, (_, i) => serve(fresh(`later ${i}`)));
  assert.ok(count(later, 'a') > 2);
});

test('an engine where prompts wait for memory is left for one that has space', () => {
  const { core, clock, send, serve } = fleetOf('ab');
  for (let i = 0; i < 20; i++) {
    const ticket = send(fresh(`long answer ${i}`));
    clock.advance(0.2);
    ticket.firstByte();
    clock.advance(600);
    ticket.finish({ status: 'completed' });
  }
  const document = 'a document of rivers and dams '.repeat(8000);
  const home = serve(routingRequest(document));
  const question = () =>
    send(routingRequest(`${document}and ${'!'.repeat(400)}`)).pick.endpoint.url;
  // Its prefill of seconds is worth waiting for; but responses take minutes, and it does not fit.
  const long = `${document}${'?'.repeat(100_000)}`;
  assert.equal(send(routingRequest(long)).pick.endpoint.url, home);
  clock.advance(0.01);
  assert.equal(question(), home);
  // The usage that an engine reports is that of the requests that run.
  const load = { running: 1, waiting: 1, blocksTotal: 10_000, blockTokens: 16, kvUsage: 0.95 };
  core.setReported(home, { ...load, atSeconds: clock.nowSeconds() });
  assert.notEqual(question(), home);
});

test('responses that are not streamed do not affect the time to first token', () => {
  const { core, clock } = fleetOf('a');
  const predicted = () =>
    /predicted in ([^ ]+) s/.exec(core.route(fresh('unseen')).pick.reason)?.[1];
  const before = predicted();
  for (let i = 0; i < 20; i++) {
    const ticket = core.route({ ...fresh(`whole ${i}`), stream: false });
    ticket.sent();
    clock.advance(60);
    ticket.firstByte();
    ticket.finish({ status: 'completed' });
  }
  assert.equal(predicted(), before);
});

test('KV events reveal a prefix that another router placed', () => {
  const kvIndex = new KvIndex();
  const policy = new PredictivePolicy(seededRandom(1), { kvIndex });
  assert.ok(policy.readsKvEvents);
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (const url of 'abc') core.addEndpoint({ url, models: ['m'] });
  const tokens = Uint32Array.from({ length: 4000 }, (_, i) => i);
  const request = { ...fresh('elsewhere'), tokens };
  assert.equal(core.route(request).pick.cachedTokens, 0);
  const log = new KvEventLog();
  log.blocksStored(new KvSequence(createBlockHasher(), 16, tokens), 0, 250);
  kvIndex.apply('b', log.take());
  const { endpoint, cachedTokens } = core.route(request).pick;
  assert.deepEqual([endpoint.url, cachedTokens], ['b', 3999]);
});

test('an engine that finds nothing of what is expected loses trust in its cache', () => {
  const { core, clock } = fleetOf('a');
  const ask = (i: number, outcome: Omit<Outcome, 'status'>) => {
    const ticket = core.route(routingRequest(`${'shared '.repeat(2000)}${i}`));
    ticket.sent();
    clock.advance(0.2);
    ticket.firstByte();
    ticket.finish({ status: 'completed', ...outcome });
    return ticket.pick.cachedTokens;
  };
  ask(0, {});
  assert.ok(ask(1, {}) > 3000, 'without word from the engine we believe what we sent');
  for (let i = 2; i < 60; i++) ask(i, { promptTokens: 3500, cachedTokens: 0 });
  assert.ok(ask(60, { promptTokens: 3500, cachedTokens: 0 }) < 500);
});

test('an engine with a queue of other routers is avoided until it is empty', () => {
  const { core, clock, serve } = fleetOf('ab');
  for (let i = 0; i < 20; i++) serve(fresh(`warm up ${i}`));
  const report = (url: string, waiting: number) => {
    const load = { running: Math.min(1, waiting), waiting, kvUsage: 0.1 };
    core.setReported(url, { atSeconds: clock.nowSeconds(), ...load });
  };
  report('a', 30);
  report('b', 0);
  for (let i = 0; i < 4; i++) assert.equal(serve(fresh(`prompt ${i}`)), 'b');
  report('a', 0);
  const later = Array.from({ length: 10 }, (_, i) => serve(fresh(`later ${i}`)));
  assert.ok(count(later, 'a') > 2);
});

test('load from other routers does not affect the learned speed', () => {
  const { core, clock, serve } = fleetOf('a');
  for (let i = 0; i < 40; i++) serve(fresh(`warm up ${i}`));
  const predicted = () =>
    Number(/predicted in ([^ ]+) s/.exec(core.route(fresh('unseen')).pick.reason)?.[1]);
  const before = predicted();
  for (let i = 0; i < 40; i++) {
    const load = { running: 20, waiting: 20, kvUsage: 0.1 };
    core.setReported('a', { atSeconds: clock.nowSeconds(), ...load });
    serve(fresh(`slow ${i}`), { a: tokensPerSecond / 10 });
  }
  core.setReported('a', { atSeconds: clock.nowSeconds(), running: 0, waiting: 0, kvUsage: 0.1 });
  assert.ok(predicted() < 1.5 * before, `${predicted()} s, ${before} s before`);
});

test('a prefix in sudden demand is copied before its engine is crowded', () => {
  const { clock, send, serve } = fleetOf('abcd');
  for (let i = 0; i < 40; i++) serve(fresh(`warm up ${i}`));
  const document = 'a document that everybody wants '.repeat(2000);
  const urls = Array.from({ length: 24 }, (_, i) => {
    clock.advance(0.06);
    return send(routingRequest(`${document}${i}`)).pick.endpoint.url;
  });
  // Its prefill takes .8 s. Who had only waited for the first copy would all be with it.
  assert.equal(new Set(urls).size, 4, urls.join(''));
});

test('a prompt counts as cached while it is in flight, and no longer without an event', () => {
  const kvIndex = new KvIndex();
  kvIndex.setKnowledge('a', 'exact');
  const policy = new PredictivePolicy(seededRandom(1), { kvIndex });
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  core.addEndpoint({ url: 'a', models: ['m'] });
  const request = { ...fresh('once'), tokens: Uint32Array.from({ length: 4000 }, (_, i) => i) };
  const first = core.route(request);
  first.sent();
  assert.ok(core.route(request).pick.cachedTokens > 3900);
  first.finish({ status: 'failed' });
  assert.equal(core.route(request).pick.cachedTokens, 0);
});

test('a prompt whose first byte has come counts as cached for two more seconds, whatever its end', () => {
  const kvIndex = new KvIndex();
  const log = new KvEventLog();
  log.blocksStored(new KvSequence(createBlockHasher(), 16, new Uint32Array(16)), 0, 1);
  kvIndex.apply('a', log.take());
  const policy = new PredictivePolicy(seededRandom(1), { kvIndex });
  const engines = [new EndpointRecord('a', ['m'], 'live', '')];
  const request = { ...fresh('once'), tokens: Uint32Array.from({ length: 4000 }, (_, i) => i) };
  const cachedAt = (seconds: number) => policy.pick(request, engines, seconds).cachedTokens;
  for (const [at, firstByte, status, kept] of [
    [0, true, 'failed', true],
    [10, false, 'completed', true],
    [20, false, 'failed', false],
  ] as const) {
    const pick = policy.pick(request, engines, at);
    policy.onSent(request, pick, at);
    if (firstByte) policy.onFirstByte(request, pick, 1, at + 1);
    policy.onFinish(request, pick, { status }, at + 1);
    assert.equal(pick.expected, undefined);
    assert.equal(cachedAt(at + 2.9), kept ? 3999 : 0, status);
    assert.equal(cachedAt(at + 3), 0);
  }
});

test('a pick keeps no block names once its request has ended', () => {
  const { send } = fleetOf('a');
  const ticket = send(fresh('names'));
  assert.equal(ticket.pick.chain?.hashes.length, 62);
  ticket.finish({ status: 'completed' });
  assert.equal(ticket.pick.chain, undefined);
});

test('the reason of an adopted request is that another router picked it', () => {
  const policy = new PredictivePolicy(seededRandom(1));
  const endpoint = new EndpointRecord('a', ['m'], 'live', '');
  const pick = policy.adopt(fresh('theirs'), endpoint, 100);
  assert.equal(pick.reason, 'another router picked it');
  assert.equal(pick.cachedTokens, 100);
  assert.equal(pick.hadTokens, true);
});
