import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { EndpointRecord } from '../../endpoint-record.ts';
import { RoutingCore } from '../../routing-core.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';
import { type PrefixAwareOptions, PrefixAwarePolicy } from './prefixaware.ts';

function fleetOf(urls: string, options: PrefixAwareOptions = {}): RoutingCore {
  const policy = new PrefixAwarePolicy(new LeastLoadedPolicy(seededRandom(1)), options);
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return core;
}

function send(core: RoutingCore, prompt: string) {
  const ticket = core.route(routingRequest(prompt));
  ticket.sent();
  return ticket;
}

function serve(core: RoutingCore, prompt: string) {
  const ticket = send(core, prompt);
  ticket.firstByte();
  ticket.finish({ status: 'completed' });
  return ticket.pick;
}

const opening = 'a conversation about rivers '.repeat(100);

test('the longest cached prefix wins', () => {
  const core = fleetOf('abcd');
  const home = serve(core, opening).endpoint.url;
  for (let turn = 1; turn < 5; turn++) {
    const pick = serve(core, opening + 'and dams '.repeat(50 * turn));
    assert.equal(pick.endpoint.url, home);
    assert.match(pick.reason, /^longest cached prefix: \d+ of \d+ tokens$/);
  }
});

test('idle engines that have the same prefix are picked in turn', () => {
  const policy = new PrefixAwarePolicy(new LeastLoadedPolicy(seededRandom(1)));
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (const url of 'abc') core.addEndpoint({ url, models: ['m'] });
  const request = routingRequest(opening);
  for (const { url } of core.endpoints()) {
    const ticket = core.route({ ...request, pinnedUrl: url });
    ticket.sent();
    ticket.finish({ status: 'completed' });
  }
  const urls = Array.from({ length: 6 }, () => serve(core, opening).endpoint.url);
  assert.equal(urls.join(''), 'abcabc');
});

test('a prefix that all requests share does not tie them to one engine', () => {
  const core = fleetOf('abcd');
  const counts = new Map<string, number>();
  for (let i = 0; i < 100; i++) {
    const { url } = serve(core, opening + `other question ${i} `.repeat(400)).endpoint;
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(count < 45, `${count} of 100`);
});

test('short prompts that grow by 128 characters stay on one engine, as upstream', () => {
  for (let seed = 0; seed < 8; seed++) {
    const core = fleetOf('ab');
    for (let i = 0; i < seed; i++) serve(core, `other ${i} `.repeat(100));
    const parts = ['1', '2', '3'].map((digit) => digit.repeat(128));
    const urls = [1, 1, 2, 2, 3, 3].map(
      (count) => serve(core, `"${parts.slice(0, count).join('')}"`).endpoint.url,
    );
    assert.equal(new Set(urls).size, 1, urls.join(' '));
  }
});

test('a match shorter than --prefix-min-match-length counts as none', () => {
  const core = fleetOf('abcd', { matchBytesMin: 4096 });
  serve(core, opening);
  assert.match(serve(core, opening).reason, /^released a prefix of .*; fewest requests/);
  serve(core, opening.repeat(3));
  assert.match(serve(core, opening.repeat(3)).reason, /^longest cached prefix/);
});

test('the warm engine is released when its queue of prompt tokens is too long', () => {
  const core = fleetOf('ab', { releaseTokens: 2000 });
  const home = serve(core, opening).endpoint.url;
  const picks = Array.from({ length: 60 }, (_, i) => {
    // Cold halves pile up before the first byte.
    return send(core, `${opening}${`${i} `.repeat(600)}`).pick;
  });
  const released = picks.find(({ reason }) => reason.startsWith('released'));
  assert.ok(released, 'some request is released');
  assert.notEqual(released.endpoint.url, home);
});

test('the warm engine is released when it has many more requests in flight', () => {
  const core = fleetOf('ab', { releaseRequests: 8 });
  const home = serve(core, opening).endpoint.url;
  const picks = Array.from({ length: 20 }, () => send(core, opening).pick.endpoint.url);
  assert.equal(picks.indexOf(home), 0);
  assert.equal(
    picks.findIndex((url) => url !== home),
    9,
  );
});

test('among engines with equal prefixes, the one with less prefill ahead is picked', () => {
  const policy = new PrefixAwarePolicy(new LeastLoadedPolicy(seededRandom(1)));
  const request = routingRequest(opening);
  const engines = ['a', 'b', 'c'].map((url) => new EndpointRecord(url, ['m'], 'live', ''));
  const [a, b, c] = engines as [EndpointRecord, EndpointRecord, EndpointRecord];
  for (const engine of [a, b]) policy.onSent(request, policy.adopt(request, engine, 0));
  a.load.sent(500, true);
  assert.equal(policy.pick(request, [a, b, c]).endpoint.url, 'b');
  b.load.sent(501, true);
  assert.equal(policy.pick(request, [a, b, c]).endpoint.url, 'a');
  assert.equal(policy.pick(request, [b, a, c]).endpoint.url, 'a');
});

test('with equal prefixes and equal load the engine whose last request is longest ago is picked', () => {
  const policy = new PrefixAwarePolicy(new LeastLoadedPolicy(seededRandom(1)));
  const request = routingRequest(opening);
  const engines = ['a', 'b'].map((url) => new EndpointRecord(url, ['m'], 'live', ''));
  for (const engine of engines) policy.onSent(request, policy.adopt(request, engine, 0));
  assert.equal(policy.pick(request, engines).endpoint.url, 'a');
  assert.equal(policy.pick(request, engines.toReversed()).endpoint.url, 'a');
});

test('a match counts from its minimum share of the prompt on, rounded up to a token', () => {
  const [half, whole] = [opening.slice(0, 256), opening.slice(0, 512)];
  const reasonWith = (matchShareMin: number) => {
    const core = fleetOf('a', { matchShareMin });
    serve(core, half);
    return serve(core, whole).reason;
  };
  // Two of four blocks are 64 of 128 tokens.
  assert.match(reasonWith(65 / 128), /^longest cached prefix: 64 of 128/);
  assert.match(reasonWith(66 / 128), /^released a prefix of 64 of 128 tokens; /);
});

test('a prefix of a single token is named in the reason of its release', () => {
  const core = fleetOf('a');
  serve(core, opening.slice(0, 128));
  const request = routingRequest(opening.slice(0, 1024), { promptTokens: 8 });
  assert.match(core.route(request).pick.reason, /^released a prefix of 1 of 8 tokens; /);
});

test('an engine that finds nothing of what was sent there loses its assumed contents', () => {
  const core = fleetOf('a');
  const tickets = Array.from({ length: 5 }, () => {
    const ticket = send(core, opening);
    ticket.finish({ status: 'completed', cachedTokens: 0 });
    return ticket;
  });
  assert.deepEqual(
    tickets.map(({ pick }) => pick.reason.startsWith('longest cached prefix')),
    [false, true, true, true, true],
  );
  assert.match(core.route(routingRequest(opening)).pick.reason, /^no cached prefix; /);
  assert.ok(tickets.every(({ pick }) => pick.chain === undefined));
});
