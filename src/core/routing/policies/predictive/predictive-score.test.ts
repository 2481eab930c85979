// The scores of predictive, term by term, on fleets small enough to compute them by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { RoutingCore } from '../../routing-core.ts';
import type { Ticket } from '../../ticket.ts';
import { prefillWork } from './engine-forecast.ts';
import { type PredictiveOptions, PredictivePolicy } from './predictive.ts';

/** Seconds of prefill at an engine without observations. */
const prefillSeconds = (uncached: number, cached = 0) =>
  0.03 + 1e-4 * prefillWork(uncached, cached);
const readSeconds = 45e-9;
/** Weight of a second of delay in decode at an engine with one request in flight. */
const decodeWeight = (outputTokens: number, most = 30) =>
  Math.min(1, most / outputTokens / (1 + outputTokens / 20_000));

function fleetOf(engines: number, options: PredictiveOptions = {}) {
  const clock = new ManualClock();
  const policy = new PredictivePolicy(seededRandom(1), options);
  const core = new RoutingCore({ policy, clock });
  const urls = Array.from({ length: engines }, (_, i) => `http://${String.fromCharCode(97 + i)}`);
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return { clock, core, urls };
}

/** A prompt of so many tokens, 4 bytes each, that begins with a name. */
const prompt = (name: string, tokens: number) =>
  routingRequest(`${name} `.repeat(4 * tokens).slice(0, 4 * tokens));

function scoresOf({ pick }: Ticket): number[] {
  return [...(pick.scores ?? [])];
}

function assertNear(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries()) {
    const wanted = expected[i] as number;
    assert.ok(Math.abs(value - wanted) < 1e-9, `score ${i} is ${value} instead of ${wanted}`);
  }
}

test('the score of an idle engine is the prefill plus twice the prefill for crowding', () => {
  const { core } = fleetOf(20);
  const scores = scoresOf(core.route(prompt('a', 4000)));
  assertNear(scores, new Array(20).fill(3 * prefillSeconds(4000)));
  const heavy = fleetOf(2, { crowdingWeight: 5 });
  const [score = 0] = scoresOf(heavy.core.route(prompt('a', 4000)));
  assertNear([score], [6 * prefillSeconds(4000)]);
});

test('an engine with a prompt in prefill is charged for its wait, the tokens it will hold up and its recent share', () => {
  const { core, urls } = fleetOf(2, { placementWeight: 0.3 });
  const first = core.route(prompt('a', 3000));
  first.sent();
  const prefill = prefillSeconds(1000);
  const contextRead = 3000 * readSeconds;
  // The one in prefill decodes by the time of this prompt's prefill.
  const delay = prefill + contextRead * 256 + (1000 * readSeconds * 256) / 2;
  const busy =
    prefillSeconds(3000) +
    prefill +
    contextRead * (1 + 1000 / 8192) +
    2 * prefill +
    decodeWeight(256) * delay +
    0.3 * prefill;
  const scores = scoresOf(core.route(prompt('b', 1000)));
  const at = urls.indexOf(first.pick.endpoint.url);
  assertNear([scores[at] ?? 0, scores[1 - at] ?? 0], [busy, 3 * prefill]);
});

test('an engine in decode is delayed by a prefill, and delays it', () => {
  const { core, clock } = fleetOf(1);
  const first = core.route(prompt('a', 3000));
  first.sent();
  clock.advance(prefillSeconds(3000));
  first.firstByte();
  const { core: idle } = fleetOf(1);
  const [without = 0] = scoresOf(idle.route(prompt('b', 1000)));
  const [score = 0] = scoresOf(core.route(prompt('b', 1000)));
  const contextRead = 3000 * readSeconds;
  const delay = prefillSeconds(1000) + contextRead * 256 + (1000 * readSeconds * 256) / 2;
  const placement = prefillSeconds(1000);
  const more = contextRead * (1 + 1000 / 8192) + decodeWeight(256) * delay + placement;
  assertNear([score], [without + more]);
});

test('responses set the expected output tokens, and a delay never costs more than itself', () => {
  const { core, clock } = fleetOf(1, { decodeWeight: 100, placementWeight: 0 });
  const running = core.route(prompt('a', 3000));
  running.sent();
  clock.advance(prefillSeconds(3000));
  running.firstByte();
  const scoreNow = () => scoresOf(core.route(prompt('b', 1000)))[0] ?? 0;
  const contextRead = 3000 * readSeconds;
  const scoreAt = (outputTokens: number) => {
    const delay =
      prefillSeconds(1000) + contextRead * outputTokens + (1000 * readSeconds * outputTokens) / 2;
    const weight = decodeWeight(outputTokens, 100);
    return 3 * prefillSeconds(1000) + contextRead * (1 + 1000 / 8192) + weight * delay;
  };
  assertNear([scoreNow()], [scoreAt(256)]);
  const answered = core.route(prompt('c', 1000));
  answered.sent();
  answered.finish({ status: 'completed', outputTokens: 0 });
  assertNear([scoreNow()], [scoreAt(252)]);
  for (let i = 0; i < 200; i++) {
    const ticket = core.route(prompt('c', 1000));
    ticket.sent();
    ticket.finish({ status: 'completed', outputTokens: 0 });
  }
  assertNear([scoreNow()], [scoreAt(256 * (63 / 64) ** 201)]);
});

test('where many output tokens are in flight, a delay of each counts less', () => {
  const { core, clock } = fleetOf(1, { placementWeight: 0 });
  const requests = 200;
  for (let i = 0; i < requests; i++) {
    const ticket = core.route(prompt('a', 10));
    ticket.sent();
    // As fast as expected, so that the speed stays the assumed one.
    clock.advance(prefillSeconds(10));
    ticket.firstByte();
  }
  const scoreAt = (weight: number) => {
    const prefill = prefillSeconds(1000);
    const contextRead = requests * 10 * readSeconds;
    const delay =
      requests * prefill + contextRead * 256 + (1000 * readSeconds * requests * 256) / 2;
    return 3 * prefill + contextRead * (1 + 1000 / 8192) + weight * delay;
  };
  const [score = 0] = scoresOf(core.route(prompt('b', 1000)));
  assertNear([score], [scoreAt(30 / 256 / (1 + (requests * 256) / 20_000))]);
});

test('cached tokens are not computed, but attention to them is', () => {
  const { core, clock } = fleetOf(2, { placementWeight: 0 });
  const text = 'rivers '.repeat(4000);
  const first = core.route(routingRequest(text.slice(0, 8192)));
  first.sent();
  clock.advance(prefillSeconds(2048));
  first.firstByte();
  first.finish({ status: 'completed' });
  clock.advance(1);
  const ticket = core.route(routingRequest(text.slice(0, 12_288)));
  assert.equal(ticket.pick.endpoint, first.pick.endpoint);
  assert.equal(ticket.pick.cachedTokens, 2048);
  const scores = scoresOf(ticket).toSorted((a, b) => a - b);
  const [warm = 0, cold = 0] = scores;
  // One response as fast as expected does not move the line.
  assertNear([warm], [3 * prefillSeconds(1024, 2048)]);
  assertNear([cold], [3 * prefillSeconds(3072)]);
});

test('equal engines are drawn equally often', () => {
  const { core, urls } = fleetOf(4);
  const counts = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const { url } = core.route(prompt('a', 100)).pick.endpoint;
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  for (const url of urls) {
    const count = counts.get(url) ?? 0;
    assert.ok(count > 880 && count < 1120, `${url} got ${count} of 4000`);
  }
});

test('scores within 2 % and 5 ms are ties, which the engine with less recent prefill wins', () => {
  const { core, clock } = fleetOf(2, { placementWeight: 0 });
  const first = core.route(prompt('a', 3000));
  first.sent();
  clock.advance(prefillSeconds(3000));
  first.firstByte();
  first.finish({ status: 'completed' });
  clock.advance(1);
  // Equal scores: only the share of prefill distinguishes them.
  for (let i = 0; i < 20; i++) {
    assert.notEqual(core.route(prompt('b', 1000)).pick.endpoint, first.pick.endpoint);
  }
});

test('a later request for a popular prefix accounts for the copies of the prefix', () => {
  const text = 'rivers '.repeat(4000).slice(0, 4096);
  for (const asked of [3, 4, 5]) {
    const { core, clock } = fleetOf(2, { placementWeight: 0 });
    for (let i = 0; i < asked; i++) {
      const ticket = core.route(routingRequest(text));
      ticket.sent();
      ticket.finish({ status: 'completed' });
    }
    const cold = () => Math.max(...scoresOf(core.route(routingRequest(text))));
    const [prefill, rest] = [prefillSeconds(1024), prefillSeconds(1, 1023)];
    // Three may be chance; as many more are expected as have come beyond.
    const users = asked - 3;
    const forOthers = (prefill - rest) * (users / (1 + users));
    assertNear([cold()], [3 * (prefill - forOthers)]);
    // Five seconds later no request is expected.
    clock.advance(5.1);
    assertNear([cold()], [3 * prefill]);
  }
});

test('when every engine has a queue, the length of the shortest adds to crowding', () => {
  const { core } = fleetOf(1, { placementWeight: 0, decodeWeight: 0 });
  for (let i = 0; i < 3; i++) core.route(prompt(`${i}`, 3000)).sent();
  const prefill = prefillSeconds(1000);
  const contextRead = 9000 * readSeconds * (1 + 1000 / 8192);
  const expected = 3 * prefillSeconds(3000) + prefill + contextRead + (2 + 3) * prefill;
  assertNear(scoresOf(core.route(prompt('x', 1000))), [expected]);
});

test('requests of other routers count as users of a popular prefix, in proportion to ours', () => {
  const { core, clock } = fleetOf(2, { placementWeight: 0 });
  const request = routingRequest('rivers '.repeat(4000).slice(0, 4096));
  const first = core.route(request);
  first.sent();
  first.firstByte();
  const { url } = first.pick.endpoint;
  // Three in flight there, one of them ours.
  const load = { running: 2, waiting: 1, kvUsage: 0 };
  core.setReported(url, { atSeconds: clock.nowSeconds(), ...load });
  const second = core.route(request);
  second.sent();
  second.finish({ status: 'completed' });
  const ticket = core.route(request);
  const cold = scoresOf(ticket)[core.endpoints().findIndex((engine) => engine.url !== url)] ?? 0;
  const [prefill, rest] = [prefillSeconds(1024), prefillSeconds(1, 1023)];
  // Two of ours stand for six; three of them may be chance.
  assertNear([cold], [3 * (prefill - (prefill - rest) * (3 / 4))]);
});

test('a restarted engine counts as idle and unknown, like a new one', () => {
  const { core, clock, urls } = fleetOf(1);
  const served = core.route(prompt('a', 3000));
  served.sent();
  clock.advance(30);
  served.firstByte();
  served.finish({ status: 'completed' });
  core.route(prompt('b', 3000)).sent();
  const [busy = 0] = scoresOf(core.route(prompt('x', 1000)));
  assert.ok(busy > 4 * prefillSeconds(1000));
  core.endpointRestarted(urls[0] ?? '');
  assertNear(scoresOf(core.route(prompt('x', 1000))), [3 * prefillSeconds(1000)]);
});

test('a prompt that does not fit waits as long as requests hold their memory', () => {
  const { core, clock, urls } = fleetOf(1, { placementWeight: 0 });
  clock.advance(10_000);
  for (let i = 0; i < 400; i++) {
    const ticket = core.route(prompt(`${i}`, 1000));
    ticket.sent();
    clock.advance(20);
    ticket.finish({ status: 'completed' });
  }
  const scoreAt = (kvUsage: number) => {
    const report = { running: 0, waiting: 0, kvUsage, blocksTotal: 1000, blockTokens: 100 };
    core.setReported(urls[0] ?? '', { atSeconds: clock.nowSeconds(), ...report });
    return scoresOf(core.route(prompt('x', 49_000)))[0] ?? 0;
  };
  // Half as much again as is used, each token held for 20 s.
  const wait = scoreAt(0.98) - scoreAt(0.1);
  assert.ok(Math.abs(wait - 10) < 0.1, `${wait} s`);
});

/** How far the predicted prefill is from that of an unknown engine, after steps of 3 s so far apart. */
function learnedAfter(gapSeconds: number, byPeer: boolean): number {
  const { core, clock, urls } = fleetOf(1, { placementWeight: 0 });
  const [url = ''] = urls;
  const steps = [3, 3 + gapSeconds];
  const tickets = steps.map((_, attempt) => {
    const about = { url, promptTokens: 1000, cachedTokens: 0, stream: true, blocks: undefined };
    if (byPeer) return core.receive('peer', { kind: 'sent', attempt, ...about });
    const ticket = core.route(prompt(`${attempt}`, 1000));
    ticket.sent();
    return ticket;
  });
  for (const [attempt, seconds] of steps.entries()) {
    clock.advanceTo(seconds);
    if (byPeer) core.receive('peer', { kind: 'firstByte', attempt });
    else tickets[attempt]?.firstByte();
  }
  for (const [attempt, ticket] of tickets.entries()) {
    if (byPeer) core.receive('peer', { kind: 'finished', attempt, status: 'completed' });
    else ticket?.finish({ status: 'completed' });
  }
  const [score = 0] = scoresOf(core.route(prompt('x', 1000)));
  return score - 3 * prefillSeconds(1000);
}

test('first bytes 20 ms apart are two steps, unless a peer router reports them', () => {
  assert.ok(learnedAfter(0.02, false) > 0.1);
  assertNear([learnedAfter(0.02, true)], [0]);
  assert.ok(learnedAfter(0.06, true) > 0.1);
});

test('every engine of a large fleet can be picked and has its own prediction', () => {
  const { core, urls } = fleetOf(20);
  for (const url of urls) {
    const others = new Set(urls.filter((other) => other !== url));
    const { pick } = core.route(prompt('a', 4000), others);
    const all = core.route(prompt('a', 4000)).pick;
    const predicted = prefillSeconds(4000).toFixed(3);
    for (const { reason } of [pick, all]) {
      assert.ok(reason.startsWith(`first token predicted in ${predicted} s: `), reason);
    }
  }
});

test('among tied engines, those with the least recent prefill are drawn equally often', () => {
  const { core, urls } = fleetOf(4, { placementWeight: 0 });
  const about = { promptTokens: 500, cachedTokens: 0, stream: true, blocks: undefined };
  for (const [attempt, url] of urls.slice(0, 2).entries()) {
    core.receive('peer', { kind: 'sent', attempt, url, ...about });
    core.receive('peer', { kind: 'finished', attempt, status: 'completed' });
  }
  const counts = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const { url } = core.route(prompt('a', 100)).pick.endpoint;
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  const [third = 0, fourth = 0] = urls.slice(2).map((url) => counts.get(url));
  assert.equal(third + fourth, 2000);
  assert.ok(Math.abs(third - 1000) < 115, `${third} of 2000`);
});

test('exactly half of all random values pick the first of two equal engines', () => {
  const urls = Array.from({ length: 8 }, (_, i) => {
    const policy = new PredictivePolicy({ next: () => i / 8 });
    const core = new RoutingCore({ policy, clock: new ManualClock() });
    for (const url of ['a', 'b']) core.addEndpoint({ url, models: ['m'] });
    return core.route(prompt('x', 100)).pick.endpoint.url;
  });
  assert.equal(urls.join(''), 'bbbbaaaa');
});

test('a pick depends on its own candidates only, not on those of the pick before', () => {
  const { core, clock, urls } = fleetOf(2, { placementWeight: 0 });
  const request = routingRequest('rivers '.repeat(4000).slice(0, 4096));
  const [first = '', second = ''] = urls;
  for (let i = 0; i < 6; i++) {
    const ticket = core.route(request, new Set([first]));
    ticket.sent();
    ticket.finish({ status: 'completed' });
  }
  clock.advance(1);
  assert.equal(core.route(request).pick.endpoint.url, second);
  // No candidate has the prefix cached, so its six users do not matter.
  assertNear(scoresOf(core.route(request, new Set([second]))), [3 * prefillSeconds(1024)]);
});
