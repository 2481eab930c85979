import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../test/support/routing.ts';
import type { ReportedLoad } from './contract.ts';
import { EndpointRecord } from './endpoint-record.ts';
import { PrefixBeliefs, type PromptChain } from './prefix-beliefs.ts';

const endpointOf = (url: string) => new EndpointRecord(url, ['m'], 'live', 'test');
const report = (blocksTotal: number): ReportedLoad => {
  return { atSeconds: 0, running: 0, waiting: 0, kvUsage: 0, blocksTotal, blockTokens: 16 };
};
const cachedTokens = (beliefs: PrefixBeliefs, endpoint: EndpointRecord, chain: PromptChain) => {
  const into = new Float64Array(1);
  beliefs.count([endpoint], chain, into);
  return into[0] as number;
};
const textOf = (name: string, bytes: number) => `${name} `.repeat(bytes).slice(0, bytes);

test('what was sent to one engine is expected there, and only there', () => {
  const beliefs = new PrefixBeliefs();
  const [a, b] = [endpointOf('a'), endpointOf('b')];
  const text = textOf('hello', 4096);
  beliefs.sent(a, beliefs.chainOf(routingRequest(text)));
  const longer = beliefs.chainOf(routingRequest(text + textOf('more', 4096)));
  assert.equal(cachedTokens(beliefs, a, longer), 1024);
  assert.equal(cachedTokens(beliefs, b, longer), 0);
  // A whole prompt is never all cached: the engine computes the last token at least.
  assert.equal(cachedTokens(beliefs, a, beliefs.chainOf(routingRequest(text))), 1023);
  beliefs.reset(a);
  assert.equal(cachedTokens(beliefs, a, longer), 0);
});

test('how the prompt is cut into pieces does not matter, and its model does', () => {
  const beliefs = new PrefixBeliefs();
  const a = endpointOf('a');
  const bytes = new TextEncoder().encode(textOf('pieces', 2048));
  const request = routingRequest('', { prompt: [bytes], promptTokens: 512 });
  beliefs.sent(a, beliefs.chainOf(request));
  const pieces = [bytes.subarray(0, 333), bytes.subarray(333)];
  const cut = beliefs.chainOf({ ...request, prompt: pieces });
  assert.equal(cachedTokens(beliefs, a, cut), 511);
  assert.equal(cachedTokens(beliefs, a, beliefs.chainOf({ ...request, model: 'other' })), 0);
});

test('an engine with a small cache is expected to have forgotten old prompts', () => {
  const beliefs = new PrefixBeliefs();
  const a = endpointOf('a');
  // 64 blocks of 16 tokens: 4,096 bytes of text, 16 blocks of ours.
  a.reported = report(64);
  const prompts = Array.from({ length: 4 }, (_, i) =>
    beliefs.chainOf(routingRequest(textOf(`prompt ${i}`, 2048))),
  );
  for (const prompt of prompts) beliefs.sent(a, prompt);
  assert.deepEqual(
    prompts.map((prompt) => cachedTokens(beliefs, a, prompt)),
    [0, 0, 511, 511],
  );
});

test('an engine that suddenly finds nothing has lost its cache', () => {
  const beliefs = new PrefixBeliefs();
  const a = endpointOf('a');
  const chains = Array.from({ length: 6 }, (_, i) =>
    beliefs.chainOf(routingRequest(textOf(`prompt ${i}`, 8192))),
  );
  for (const chain of chains) beliefs.sent(a, chain);
  for (const chain of chains.slice(0, 4)) {
    const expected = cachedTokens(beliefs, a, chain);
    assert.ok(expected > 1000);
    beliefs.finished(a, chain, expected, {
      status: 'completed',
      promptTokens: 2048,
      cachedTokens: 0,
    });
  }
  assert.deepEqual(
    chains.map((chain) => cachedTokens(beliefs, a, chain)),
    [0, 0, 0, 0, 0, 0],
  );
});

test('a very long prompt is looked at up to a bound', () => {
  const beliefs = new PrefixBeliefs();
  const part = new Uint8Array(1 << 20).fill(65);
  const prompt = [part, part, part];
  const chain = beliefs.chainOf(routingRequest('', { prompt, promptTokens: 786_432 }));
  assert.equal(chain.hashes.length, 8192);
  assert.equal(chain.blockTokens, 64);
});
