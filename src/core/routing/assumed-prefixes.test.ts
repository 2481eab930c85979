import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import { AssumedPrefixes, type PromptChain } from './assumed-prefixes.ts';
import type { ReportedLoad } from './contract.ts';
import { EndpointRecord } from './endpoint-record.ts';

const endpointOf = (url: string) => new EndpointRecord(url, ['m'], 'live', 'test');
const report = (blocksTotal: number): ReportedLoad => {
  return { atSeconds: 0, running: 0, waiting: 0, kvUsage: 0, blocksTotal, blockTokens: 16 };
};
const cachedTokens = (assumed: AssumedPrefixes, endpoint: EndpointRecord, chain: PromptChain) => {
  const into = new Float64Array(1);
  assumed.count([endpoint], chain, into);
  return into[0] as number;
};
const textOf = (name: string, bytes: number) => `${name} `.repeat(bytes).slice(0, bytes);

test('a prompt sent to one engine is expected to be cached there, and only there', () => {
  const assumed = new AssumedPrefixes();
  const [a, b] = [endpointOf('a'), endpointOf('b')];
  const text = textOf('hello', 4096);
  assumed.sent(a, assumed.chainOf(routingRequest(text)));
  const longer = assumed.chainOf(routingRequest(text + textOf('more', 4096)));
  assert.equal(cachedTokens(assumed, a, longer), 1024);
  assert.equal(cachedTokens(assumed, b, longer), 0);
  // A whole prompt is never all cached: the engine computes the last token at least.
  assert.equal(cachedTokens(assumed, a, assumed.chainOf(routingRequest(text))), 1023);
  assumed.reset(a);
  assert.equal(cachedTokens(assumed, a, longer), 0);
});

test('the split of the prompt into parts does not matter, but its model does', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  const bytes = new TextEncoder().encode(textOf('pieces', 2048));
  const request = routingRequest('', { prompt: [bytes], promptTokens: 512 });
  assumed.sent(a, assumed.chainOf(request));
  const pieces = [bytes.subarray(0, 333), bytes.subarray(333)];
  const cut = assumed.chainOf({ ...request, prompt: pieces });
  assert.equal(cachedTokens(assumed, a, cut), 511);
  assert.equal(cachedTokens(assumed, a, assumed.chainOf({ ...request, model: 'other' })), 0);
});

test('an engine with a small cache is expected to have forgotten old prompts', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  // 64 blocks of 16 tokens: 4,096 bytes of text, 16 blocks of ours.
  a.reported = report(64);
  const prompts = Array.from({ length: 4 }, (_, i) =>
    assumed.chainOf(routingRequest(textOf(`prompt ${i}`, 2048))),
  );
  for (const prompt of prompts) assumed.sent(a, prompt);
  assert.deepEqual(
    prompts.map((prompt) => cachedTokens(assumed, a, prompt)),
    [0, 0, 511, 511],
  );
});

test('an engine that suddenly finds nothing is assumed to have lost its cache', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  const chains = Array.from({ length: 6 }, (_, i) =>
    assumed.chainOf(routingRequest(textOf(`prompt ${i}`, 8192))),
  );
  for (const chain of chains) assumed.sent(a, chain);
  for (const chain of chains.slice(0, 4)) {
    const expected = cachedTokens(assumed, a, chain);
    assert.ok(expected > 1000);
    assumed.finished(a, chain, expected, {
      status: 'completed',
      promptTokens: 2048,
      cachedTokens: 0,
    });
  }
  assert.deepEqual(
    chains.map((chain) => cachedTokens(assumed, a, chain)),
    [0, 0, 0, 0, 0, 0],
  );
});

test('a very long prompt is hashed up to a maximum', () => {
  const assumed = new AssumedPrefixes();
  const part = new Uint8Array(1 << 20).fill(65);
  const prompt = [part, part, part];
  const chain = assumed.chainOf(routingRequest('', { prompt, promptTokens: 786_432 }));
  assert.equal(chain.hashes.length, 8192);
  assert.equal(chain.blockTokens, 64);
});

/** An engine that was sent one prompt of 16 blocks, which are 1,024 tokens, and what it reported. */
function answered(outcome: { readonly promptTokens?: number; readonly cachedTokens?: number }) {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  // 64 blocks of 16 tokens hold just that.
  a.reported = report(64);
  const chain = assumed.chainOf(routingRequest(textOf('prompt', 4096)));
  const answer = (said: typeof outcome) => {
    assumed.sent(a, chain);
    const expected = cachedTokens(assumed, a, chain);
    assumed.finished(a, chain, expected, { status: 'completed', ...said });
    return cachedTokens(assumed, a, chain);
  };
  answer(outcome);
  return { now: () => cachedTokens(assumed, a, chain), answer };
}

test('trust follows the share of tokens that an engine found, by its own token count', () => {
  assert.equal(answered({ promptTokens: 1024, cachedTokens: 1000 }).now(), 1023);
  // Twice the tokens by the engine's count: 1,500 of 2,048 are 750 of ours, and 128 of slack.
  const found = (750 + 128) / 1023;
  const trust = 1 + (found - 1) / 16;
  const after = answered({ promptTokens: 2048, cachedTokens: 1500 });
  assert.equal(after.now(), Math.floor(1024 * trust));
  // Without a count of its own, its tokens are ours.
  const uncounted = answered({ cachedTokens: 750 });
  assert.equal(uncounted.now(), Math.floor(1024 * trust));
  // After a hit as expected, trust recovers by a sixteenth.
  const again = uncounted.answer({ promptTokens: 1024, cachedTokens: 1020 });
  assert.equal(again, Math.floor(1024 * (trust + (1 - trust) / 16)));
  // An engine that does not report hits changes nothing.
  assert.equal(answered({ promptTokens: 1024 }).now(), 1023);
});

test('trust never falls below a tenth, so that an engine can win it back', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  const chain = assumed.chainOf(routingRequest(textOf('long', 640 * 256)));
  const answer = (found: number) => {
    assumed.sent(a, chain);
    const expected = cachedTokens(assumed, a, chain);
    assumed.finished(a, chain, expected, { status: 'completed', cachedTokens: found });
    assumed.sent(a, chain);
    return cachedTokens(assumed, a, chain);
  };
  for (let i = 0; i < 200; i++) answer(0);
  assert.equal(answer(0), 4096);
  assert.equal(answer(40_959), 40_960 * (0.1 + 0.9 / 16));
});

test('an engine that found less than half is assumed to be smaller, and grows back slowly', () => {
  const engine = answered({ promptTokens: 1024, cachedTokens: 0 });
  // 97 % of 16 blocks are 15.
  const trust = 1 + (128 / 1023 - 1) / 16;
  assert.equal(engine.now(), Math.floor(15 * 64 * trust));
  for (let i = 0; i < 6; i++) engine.answer({ cachedTokens: 1023 });
  assert.ok(engine.now() < 15.01 * 64, `${engine.now()}`);
  for (let i = 0; i < 3; i++) engine.answer({ cachedTokens: 1023 });
  assert.ok(engine.now() > 15.2 * 64, `${engine.now()}`);
  // Half and more is no sign of a smaller cache.
  const half = answered({ cachedTokens: 400 });
  assert.ok(half.now() > 15 * 64, `${half.now()}`);
});

test('the size of a cache in bytes follows the bytes per token of responses', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  // 256,000 tokens: 4,000 blocks of ours at 4 bytes a token.
  a.reported = report(16_000);
  const chain = assumed.chainOf(
    routingRequest(textOf('long', 256 * 4400), { promptTokens: 281_600 }),
  );
  assumed.sent(a, chain);
  assert.equal(cachedTokens(assumed, a, chain), 256_000);
  // Requests without a prompt show nothing.
  const empty = assumed.chainOf(routingRequest('', { promptTokens: 10 }));
  for (let i = 0; i < 50; i++) {
    assumed.finished(a, empty, 0, { status: 'completed', promptTokens: 10 });
  }
  // 1,126,400 bytes in 140,800 tokens: 8 bytes each, a 64th of the way from 4.
  assumed.finished(a, chain, 256_000, {
    ...{ status: 'completed', promptTokens: 140_800, cachedTokens: 140_800 },
  });
  assumed.sent(a, chain);
  assert.equal(cachedTokens(assumed, a, chain), Math.floor((4000 * 4.0625) / 4) * 64);
});

test('each of many engines keeps its own trust', () => {
  const assumed = new AssumedPrefixes();
  const engines = Array.from({ length: 20 }, (_, i) => endpointOf(`${i}`));
  const chain = assumed.chainOf(routingRequest(textOf('prompt', 4096)));
  const counts = () => {
    const into = new Float64Array(20);
    assumed.count(engines, chain, into);
    return [...into];
  };
  const [first] = engines as [EndpointRecord];
  assumed.sent(first, chain);
  assumed.finished(first, chain, 1023, {
    status: 'completed',
    promptTokens: 1024,
    cachedTokens: 600,
  });
  const distrusted = counts()[0] ?? 0;
  assert.ok(distrusted < 1023 && distrusted > 900);
  for (const engine of engines.slice(1)) assumed.sent(engine, chain);
  assert.deepEqual(counts(), [distrusted, ...new Array(19).fill(1023)]);
});

test('blocks named by peers are used, unless they exceed the maximum', () => {
  const assumed = new AssumedPrefixes();
  const named = (blocks: number) => ({
    ...routingRequest(''),
    promptTokens: 1000,
    promptBlockNames: (blockBytes: number) => ({
      hashes: Float64Array.from({ length: blocks }, (_, i) => i + 1),
      promptBytes: blocks * blockBytes,
      blockBytes,
    }),
  });
  const chain = assumed.chainOf(named(8192));
  assert.equal(chain.hashes.length, 8192);
  assert.equal(chain.promptBytes, 8192 * 256);
  assert.equal(assumed.chainOf(named(8193)).hashes.length, 0);
  assert.equal(assumed.chainOf(routingRequest('')).blockTokens, 0);
});

test('without a reported size an engine is assumed to cache 500,000 tokens', () => {
  const text = textOf('long', 2_000_016);
  const reports = [
    undefined,
    { ...report(64), blocksTotal: undefined },
    { ...report(64), blockTokens: undefined },
  ];
  for (const reported of reports) {
    // Blocks of 12 bytes, which are 3 tokens: 166,666 whole ones.
    const assumed = new AssumedPrefixes(12);
    const a = endpointOf('a');
    a.reported = reported;
    const chain = assumed.chainOf(routingRequest(text));
    assumed.sent(a, chain);
    assert.equal(cachedTokens(assumed, a, chain), 499_998);
  }
});

test('at most 250,000 blocks of an engine are remembered, whatever size it reports', () => {
  const assumed = new AssumedPrefixes(4);
  const a = endpointOf('a');
  a.reported = report(1_000_000);
  const chain = assumed.chainOf(routingRequest(textOf('long', 1_200_000)));
  assumed.sent(a, chain);
  assert.equal(cachedTokens(assumed, a, chain), 250_000);
});

test('counts overwrite one number per endpoint and nothing else', () => {
  const assumed = new AssumedPrefixes();
  const [a, b] = [endpointOf('a'), endpointOf('b')];
  const chain = assumed.chainOf(routingRequest(textOf('prompt', 4096)));
  assumed.sent(a, chain);
  const into = new Float64Array(3).fill(7);
  assumed.count([a, b], chain, into);
  assert.deepEqual([...into], [1023, 0, 7]);
});

test('a prompt of a single token is never cached', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  const chain = assumed.chainOf(routingRequest(textOf('word', 512), { promptTokens: 1 }));
  assumed.sent(a, chain);
  assert.equal(cachedTokens(assumed, a, chain), 0);
});

test('four consecutive responses with less than a tenth of the expected tokens mean a lost cache', () => {
  const assumed = new AssumedPrefixes();
  const a = endpointOf('a');
  const chain = assumed.chainOf(routingRequest(textOf('prompt', 65_536)));
  const found = (expected: number, ...counts: number[]) => {
    assumed.sent(a, chain);
    for (const cachedTokens of counts) {
      assumed.finished(a, chain, expected, { status: 'completed', cachedTokens });
    }
    return cachedTokens(assumed, a, chain) > 0;
  };
  assert.ok(found(1000, 99, 99, 99), 'three are not enough');
  assert.ok(found(1000, 100), 'a tenth is a hit');
  assert.ok(found(1000, 99, 99, 99), 'counted from the hit on');
  assert.ok(!found(1000, 99), 'the fourth');
  // The next loss is counted anew.
  assert.ok(found(1000, 95, 95, 95));
  assert.ok(!found(1000, 95));
  // Two blocks, 128 tokens, may be lost to block boundaries alone.
  assert.ok(found(128, 0, 0, 0, 0));
  assert.ok(!found(129, 0, 0, 0, 0));
});

test('a cache is not assumed to be smaller when half of the expected tokens are found', () => {
  const sizeAfter = (found: number) => {
    const assumed = new AssumedPrefixes();
    const a = endpointOf('a');
    // 100 blocks of ours, all of them used.
    a.reported = report(400);
    const chain = assumed.chainOf(routingRequest(textOf('prompt', 100 * 256)));
    assumed.sent(a, chain);
    // 128 tokens of slack count as found.
    assumed.finished(a, chain, 1000, { status: 'completed', cachedTokens: found - 128 });
    const trust = 1 + (found / 1000 - 1) / 16;
    return Math.round(cachedTokens(assumed, a, chain) / trust / 64);
  };
  assert.equal(sizeAfter(500), 100);
  assert.equal(sizeAfter(499), 97);
});

test('an engine that was reset has nothing cached, even after another engine takes its number', () => {
  const assumed = new AssumedPrefixes();
  const [a, b] = [endpointOf('a'), endpointOf('b')];
  const endpoints = [a, b];
  const chain = assumed.chainOf(routingRequest(textOf('prompt', 4096)));
  const counts = () => {
    const into = new Float64Array(2);
    assumed.count(endpoints, chain, into);
    return [...into];
  };
  assumed.sent(a, chain);
  assert.deepEqual(counts(), [1023, 0]);
  assumed.reset(a);
  assert.deepEqual(counts(), [0, 0]);
  assumed.sent(b, chain);
  assert.deepEqual(counts(), [0, 1023]);
});

test('a long prompt is truncated after 2 MiB, across its parts in order', () => {
  const assumed = new AssumedPrefixes();
  const partOf = (letter: number, bytes: number) => new Uint8Array(bytes).fill(letter);
  const parts = [partOf(65, 1_500_000), partOf(66, 1_000_000), partOf(67, 300)];
  const whole = new Uint8Array(2 * 1024 * 1024).fill(66);
  whole.fill(65, 0, 1_500_000);
  const chain = assumed.chainOf(routingRequest('', { prompt: parts, promptTokens: 600_000 }));
  const cut = assumed.chainOf(routingRequest('', { prompt: [whole], promptTokens: 600_000 }));
  assert.deepEqual(chain.hashes, cut.hashes);
  assert.equal(chain.hashes.length, 8192);
});

test('the names of blocks are the same at every router and in every version', () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(12);
  const namesFor = (model: string | undefined) => [
    ...new AssumedPrefixes().chainOf(routingRequest(text, { model })).hashes,
  ];
  assert.deepEqual(namesFor('m'), [3537009399481263, 6115363803054061]);
  assert.deepEqual(namesFor('Qwen/Qwen3-8B'), [2754797886688615, 239562556261836]);
  assert.deepEqual(namesFor(undefined), [4813684304226564, 5543783337277492]);
});
