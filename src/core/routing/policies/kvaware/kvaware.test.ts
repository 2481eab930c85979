import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../../kv/index.ts';
import type { Endpoint, RoutingRequest } from '../../contract.ts';
import { RoutingCore } from '../../routing-core.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';
import { KvAwarePolicy, kvaware } from './kvaware.ts';

const blockSize = 16;
const hasher = createBlockHasher();

test('the engine with most of the prompt cached is picked, and the reason says how much', () => {
  const { policy, hold } = make();
  const prompt = tokens(100, 1);
  hold('a', prompt.subarray(0, 64));
  hold('b', prompt);
  const pick = policy.pick(request(prompt), [engine('a'), engine('b'), engine('c')]);
  assert.equal(pick.endpoint.url, 'b');
  assert.equal(pick.reason, 'most cached blocks: 96 of 100 tokens');
  assert.deepEqual(pick.scores, [64, 96, 0]);
});

test('the last block of a fully cached prompt counts as work, as in vLLM', () => {
  const { policy, hold } = make();
  const prompt = tokens(64, 1);
  hold('a', prompt);
  assert.equal(policy.pick(request(prompt), [engine('a')]).cachedTokens, 48);
  const longer = Uint32Array.from([...prompt, 7]);
  assert.equal(policy.pick(request(longer), [engine('a')]).cachedTokens, 64);
});

test('among equally warm engines, the one with less prefill ahead is picked', () => {
  const { policy, hold } = make();
  const prompt = tokens(100, 1);
  hold('a', prompt);
  hold('b', prompt);
  const endpoints = [engine('a', { prefillTokens: 900 }), engine('b', { prefillTokens: 20 })];
  assert.equal(policy.pick(request(prompt), endpoints).endpoint.url, 'b');
});

test('a warm engine is kept while it is busy and left when it is saturated', () => {
  const { policy, hold } = make();
  const prompt = tokens(1000, 1);
  hold('a', prompt);
  const pickWith = (load: Partial<Endpoint['load']>) =>
    policy.pick(request(prompt), [engine('a', load), engine('b')]);
  assert.equal(pickWith({ prefillTokens: 40_000, inflight: 20 }).endpoint.url, 'a');
  assert.equal(pickWith({ prefillTokens: 60_000 }).endpoint.url, 'b');
  const released = pickWith({ inflight: 40, prefillTokens: 2000 });
  assert.equal(released.endpoint.url, 'b');
  assert.match(released.reason, /^released 992 of 1000 tokens on a saturated engine/);
  assert.equal(released.ground, 'load');
});

test('a prompt with less than half cached is sent to the engine with the least prefill left', () => {
  const { policy, hold } = make();
  const prompt = tokens(1000, 1);
  hold('a', prompt.subarray(0, 480));
  hold('b', prompt.subarray(0, 160));
  const pickWith = (a: number, b: number, c: number) =>
    policy.pick(request(prompt), [
      engine('a', { prefillTokens: a }),
      engine('b', { prefillTokens: b }),
      engine('c', { prefillTokens: c }),
    ]);
  assert.equal(pickWith(300, 0, 0).endpoint.url, 'a');
  const other = pickWith(400, 0, 0);
  assert.equal(other.endpoint.url, 'b');
  assert.deepEqual([other.cachedTokens, other.ground], [160, 'prefix']);
  assert.equal(
    other.reason,
    'most cached: 480 of 1000 tokens; least prefill ahead, 160 tokens cached',
  );
  assert.equal(pickWith(1000, 900, 500).endpoint.url, 'c');
});

test('equally warm and idle engines are picked in turn', () => {
  const { policy, hold } = make();
  const prompt = tokens(100, 1);
  for (const url of 'abc') hold(url, prompt);
  const endpoints = [engine('a'), engine('b'), engine('c')];
  const urls = Array.from({ length: 6 }, () => {
    const pick = policy.pick(request(prompt), endpoints);
    policy.onSent(request(prompt), pick);
    return pick.endpoint.url;
  });
  assert.equal(urls.join(''), 'abcabc');
});

test('a short prefix that all requests share ties none of them to a busier engine', () => {
  const { policy, hold } = make();
  const prompt = tokens(1000, 1);
  hold('a', prompt.subarray(0, 160));
  const pickWith = (inflight: number) =>
    policy.pick(request(prompt), [engine('a', { inflight }), engine('b')]).endpoint.url;
  assert.equal(pickWith(0), 'a');
  assert.equal(pickWith(1), 'b');
  hold('a', prompt.subarray(0, 480));
  assert.equal(pickWith(1), 'a', 'that is worth a request in flight');
});

test('an engine with half of the prompt or more is left only because of its load', () => {
  const { policy, hold } = make();
  const prompt = tokens(1000, 1);
  hold('a', prompt.subarray(0, 512));
  const pickWith = (load: Partial<Endpoint['load']>) =>
    policy.pick(request(prompt), [engine('a', load), engine('b')]).endpoint.url;
  assert.equal(pickWith({ prefillTokens: 50_512 }), 'a');
  assert.equal(pickWith({ prefillTokens: 50_513 }), 'b');
});

test('a prefix that all requests share does not herd them to the engine that saw it first', () => {
  const { policy, hold } = make();
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  const urls = ['a', 'b', 'c', 'd'];
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  const counts = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    // 512 shared tokens of 4,096: block 0 of the Mooncake conversation trace.
    const prompt = Uint32Array.from([...tokens(512, 1), ...tokens(3584, i + 2)]);
    const ticket = core.route(request(prompt));
    ticket.sent();
    const { url } = ticket.pick.endpoint;
    hold(url, prompt);
    counts.set(url, (counts.get(url) ?? 0) + 1);
    if (i % 4 !== 3) continue;
    ticket.firstByte();
  }
  for (const url of urls) {
    const count = counts.get(url) ?? 0;
    assert.ok(count >= 80 && count <= 120, `${url} got ${count} of 400`);
  }
});

test('exactly half of the prompt makes an engine the favourite', () => {
  const { policy, hold } = make();
  const prompt = tokens(1024, 1);
  hold('a', prompt.subarray(0, 512));
  const endpoints = [engine('a', { prefillTokens: 5000 }), engine('b')];
  assert.equal(policy.pick(request(prompt), endpoints).endpoint.url, 'a');
});

test('equally warm engines with as much prefill ahead are ranked by requests, then by order', () => {
  const { policy, hold } = make();
  const prompt = tokens(100, 1);
  for (const url of ['a', 'b', 'c']) hold(url, prompt);
  const pickOf = (...loads: number[]) => {
    const engines = loads.map((inflight, i) => engine('abc'.charAt(i), { inflight }));
    return policy.pick(request(prompt), engines).endpoint.url;
  };
  assert.equal(pickOf(3, 1, 2), 'b');
  assert.equal(pickOf(1, 3, 2), 'a');
  assert.equal(pickOf(2, 2, 2), 'a');
});

test("upstream's threshold sends requests with many uncached tokens to the least loaded", () => {
  const prompt = tokens(4096, 1);
  for (const [uncachedTokensMax, expected] of [
    [2000, 'b'],
    [3000, 'a'],
    [undefined, 'a'],
  ] as const) {
    const { policy, hold } = make({ uncachedTokensMax });
    hold('a', prompt.subarray(0, 2048));
    const endpoints = [engine('a', { inflight: 5 }), engine('b')];
    assert.equal(policy.pick(request(prompt), endpoints).endpoint.url, expected);
  }
});

test('the threshold is inclusive and may be 0', () => {
  const prompt = tokens(4096, 1);
  const { policy, hold } = make({ uncachedTokensMax: 2000 });
  hold('a', prompt.subarray(0, 2096));
  const pick = policy.pick(request(prompt), [engine('a', { inflight: 5 }), engine('b')]);
  assert.equal(pick.endpoint.url, 'a');
  const create = (kvAwareThreshold: number) =>
    kvaware.create({ random: seededRandom(1), parameters: { kvAwareThreshold } });
  assert.equal(create(0).name, 'kvaware');
  assert.throws(() => create(-1), /a whole number of at least 0/);
});

test('an engine without live events counts as empty, and no tokens are requested for it', () => {
  const { policy, index, hold } = make();
  const prompt = tokens(100, 1);
  assert.ok(!policy.needsTokens);
  hold('a', prompt);
  assert.ok(policy.needsTokens);
  const pick = () => policy.pick(request(prompt), [engine('a', { inflight: 1 }), engine('b')]);
  assert.equal(pick().endpoint.url, 'a');
  index.setKnowledge('a', 'none');
  assert.equal(pick().endpoint.url, 'b');
  assert.deepEqual(pick().scores, [0, 0]);
  assert.ok(!policy.needsTokens);
  index.setKnowledge('a', 'exact');
  assert.equal(pick().endpoint.url, 'a');
});

/** Tokens that are loaded at 50 GB/s and otherwise computed in 32 µs each, behind others on the GPU. */
const loaded = (tokens: number, onGpu = 0) => onGpu + tokens - (tokens * (131_072 / 50e9)) / 32e-6;

test('a prompt is sent to the engine that keeps it in host memory', () => {
  const { policy, index, hold } = make();
  const prompt = tokens(100, 1);
  hold('a', prompt);
  const [stored] = eventsOf(prompt);
  assert.ok(stored?.type === 'BlockStored');
  const { blockHashes } = stored;
  const placeholder = { tokenIds: new Uint32Array(), blockSize: 0, parentBlockHash: undefined };
  index.apply('a', [
    { ...stored, ...placeholder, medium: 'CPU' },
    { type: 'BlockRemoved', blockHashes, medium: 'GPU' },
  ]);
  const pick = policy.pick(request(prompt), [engine('a', { inflight: 1 }), engine('b')]);
  assert.equal(pick.endpoint.url, 'a');
  assert.equal(pick.cachedTokens, 96);
  assert.deepEqual(pick.scores, [loaded(96), 0]);
  hold('b', prompt);
  assert.equal(policy.pick(request(prompt), [engine('a'), engine('b')]).endpoint.url, 'b');
});

test('only the part of a prompt in host memory counts less', () => {
  const { policy, index, hold } = make();
  const prompt = tokens(100, 1);
  hold('a', prompt);
  const [stored] = eventsOf(prompt);
  assert.ok(stored?.type === 'BlockStored');
  const { blockHashes } = stored;
  const placeholder = { tokenIds: new Uint32Array(), blockSize: 0, parentBlockHash: undefined };
  index.apply('a', [
    { ...stored, ...placeholder, medium: 'CPU' },
    { type: 'BlockRemoved', blockHashes: blockHashes.slice(4), medium: 'GPU' },
  ]);
  hold('b', prompt.subarray(0, 80));
  hold('c', prompt.subarray(0, 96));
  const pick = policy.pick(request(prompt), [engine('a'), engine('b'), engine('c')]);
  assert.deepEqual(pick.scores, [loaded(32, 64), 80, 96]);
  // Of a prompt of which little is cached, a lead of 0.8 tokens of prefill is a lead.
  const long = Uint32Array.from([...prompt.subarray(0, 96), ...tokens(400, 2)]);
  const close = policy.pick(request(long), [engine('a', { prefillTokens: 92 }), engine('d')]);
  assert.equal(close.endpoint.url, 'a');
});

test('adapters are identified by the model of the request, salts by its cache_salt', () => {
  const { policy, hold } = make();
  const prompt = tokens(100, 1);
  hold('a', prompt, { lora: { id: 1, name: 'sql', path: '/loras/sql' } });
  hold('b', prompt, { cacheSalt: 'tenant-1' });
  const endpoints = [engine('a'), engine('b')];
  const cachedFor = (overrides: Partial<RoutingRequest>) =>
    policy.pick(request(prompt, overrides), endpoints).scores;
  assert.deepEqual(cachedFor({}), [0, 0]);
  assert.deepEqual(cachedFor({ model: 'sql' }), [96, 0]);
  assert.deepEqual(cachedFor({ cacheSalt: 'tenant-1' }), [0, 96]);
});

test('a request without tokens is sent to the least loaded engine', () => {
  const { policy } = make();
  const endpoints = [engine('a', { inflight: 3 }), engine('b')];
  const pick = policy.pick(routingRequest('some text'), endpoints);
  assert.equal(pick.endpoint.url, 'b');
  assert.equal(pick.reason, 'no cached block; fewest requests in flight: 0');
});

test('a burst of one prompt stays together before the first event, and spreads if the attempt fails', () => {
  const { policy, hold } = make();
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  const urls = ['a', 'b', 'c', 'd'];
  for (const url of urls) {
    core.addEndpoint({ url, models: ['m'] });
    hold(url, tokens(16, 9));
  }
  const burst = request(tokens(1000, 1));
  const first = core.route(burst);
  first.sent();
  for (let i = 0; i < 5; i++) {
    const next = core.route(burst);
    next.sent();
    assert.equal(next.pick.endpoint.url, first.pick.endpoint.url);
    assert.equal(next.pick.cachedTokens, 992);
    next.finish({ status: 'cancelled' });
  }
  first.finish({ status: 'failed' });
  assert.equal(core.route(burst).pick.cachedTokens, 0);
});

test('an expected prompt counts from its first byte for two seconds, and the pick keeps nothing of it', () => {
  const { policy, hold } = make();
  hold('a', tokens(16, 9));
  const prompt = request(tokens(1000, 1));
  const engines = [engine('a')];
  const cachedAt = (seconds: number) => policy.pick(prompt, engines, seconds).cachedTokens;
  for (const [at, firstByte, status, kept] of [
    [0, true, 'failed', true],
    [10, false, 'completed', true],
    [20, false, 'failed', false],
    [30, false, 'cancelled', false],
  ] as const) {
    const pick = policy.pick(prompt, engines, at);
    assert.equal(pick.cachedTokens, 0);
    policy.onSent(prompt, pick);
    assert.equal(cachedAt(at + 5), 992, 'in flight');
    if (firstByte) policy.onFirstByte(prompt, pick, 5, at + 5);
    assert.notEqual(pick.expected, undefined);
    policy.onFinish(prompt, pick, { status }, at + 5);
    assert.deepEqual([pick.expected, pick.chain], [undefined, undefined]);
    assert.equal(cachedAt(at + 6.9), kept ? 992 : 0, status);
    assert.equal(cachedAt(at + 7), 0, 'no event came');
  }
});

test('an engine that finds nothing of the prompts without tokens that it was sent loses trust', () => {
  const { policy } = make();
  const prompt = routingRequest('the river flows to the sea '.repeat(100));
  const engines = [engine('a')];
  const ask = () => {
    const pick = policy.pick(prompt, engines);
    policy.onSent(prompt, pick);
    policy.onFinish(prompt, pick, { status: 'completed', promptTokens: 700, cachedTokens: 0 }, 1);
    assert.equal(pick.chain, undefined, 'nothing of it is kept');
    return pick.cachedTokens;
  };
  assert.equal(ask(), 0);
  const trusted = ask();
  assert.ok(trusted > 600);
  for (let i = 0; i < 20; i++) ask();
  assert.ok(ask() < trusted / 2);
});

test('prompts without tokens go where this router sent them before, as without events', () => {
  const { policy, hold } = make();
  const core = new RoutingCore({ policy, clock: new ManualClock() });
  for (const url of ['a', 'b', 'c', 'd']) core.addEndpoint({ url, models: ['m'] });
  hold('a', tokens(100, 1));
  const text = routingRequest('the river flows to the sea '.repeat(100));
  const first = core.route(text);
  first.sent();
  first.finish({ status: 'completed' });
  for (let i = 0; i < 5; i++) {
    const next = core.route(text);
    assert.equal(next.pick.endpoint.url, first.pick.endpoint.url);
    assert.ok(next.pick.cachedTokens > 0.8 * text.promptTokens);
  }
  core.endpointRestarted(first.pick.endpoint.url);
  assert.equal(core.route(text).pick.cachedTokens, 0);
});

/** The policy, and a way to say that an engine holds a prompt, in the events of vLLM. */
function make(options: ConstructorParameters<typeof KvAwarePolicy>[2] = {}) {
  const index = new KvIndex();
  const policy = new KvAwarePolicy(new LeastLoadedPolicy(seededRandom(1)), index, options);
  const hold = (
    url: string,
    prompt: Uint32Array,
    scope: ConstructorParameters<typeof KvSequence>[3] = {},
  ): void => {
    index.apply(url, eventsOf(prompt, scope));
  };
  return { policy, index, hold };
}

function eventsOf(prompt: Uint32Array, scope: ConstructorParameters<typeof KvSequence>[3] = {}) {
  const log = new KvEventLog();
  const sequence = new KvSequence(hasher, blockSize, prompt, scope);
  log.blocksStored(sequence, 0, Math.floor(prompt.length / blockSize));
  return log.take();
}

function request(prompt: Uint32Array, overrides: Partial<RoutingRequest> = {}): RoutingRequest {
  return routingRequest('', { tokens: prompt, promptTokens: prompt.length, ...overrides });
}

function engine(url: string, load: Partial<Endpoint['load']> = {}): Endpoint {
  const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
  return { url, models: ['m'], load: { ...idle, ...load }, reported: undefined };
}

function tokens(count: number, seed: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => (i * 7919 + seed * 104_729) % 150_000);
}
