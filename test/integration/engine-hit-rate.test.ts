// What engines behind the router find cached of real traffic, against the reference cache.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BlockCache } from '../../src/core/simulation/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';
import { createRequestWriter, createStreamClient } from '../../src/tools/benchmark/index.ts';
import { metric, startFleet } from '../support/fleet.ts';

const model = 'Qwen/Qwen3-8B';
const blockTokens = 16;
/** Tokens of the chat template around a user's message: 3 before, 5 after. */
const templateTokens = 8;

/**
 * The trace with each 512-token block shrunk to one block of the engine, plus the template, whose
 * tokens leave one block of each prompt partial: the engine keeps that one only while it runs.
 */
async function shrunkTrace(count: number) {
  const { requests } = await loadTrace('bench/data/mooncake-conversation.jsonl.gz', {
    requests: count,
  });
  return requests.map((request) => ({
    ...request,
    promptTokens: request.blockIds.length * blockTokens + templateTokens,
    outputTokens: 1,
  }));
}

/** Sends the requests one after another; per engine, what it had cached and what it should have. */
async function serve(
  t: TestContext,
  options: { readonly engines: number; readonly blocksMax: number; readonly requests: number },
) {
  // Of an engine's blocks, vLLM keeps one back (block 0), and one is the partial block's.
  const numGpuBlocks = options.blocksMax + 2;
  const maxModelLen = options.blocksMax * blockTokens;
  const config = { blockSize: blockTokens, numGpuBlocks, maxModelLen };
  const timeScale = Number.POSITIVE_INFINITY;
  const { engines } = options;
  const fleet = await startFleet(t, { engines, policy: 'roundrobin', model, config, timeScale });
  const clock = { nowSeconds: () => performance.now() / 1000 };
  const url = new URL(fleet.url);
  const client = createStreamClient({ url, apiKey: undefined, timeoutMs: 5000, clock });
  t.after(() => client.close());
  const tokenizer = await loadTokenizer();
  const writer = createRequestWriter({ api: 'chat', model, tokenizer, blockTokens, seed: 0 });
  const references = new Map(
    fleet.engines.map((engine) => [engine.url, new BlockCache(options.blocksMax)]),
  );
  const [found, expected]: [number[], number[]] = [[], []];
  for (const request of await shrunkTrace(options.requests)) {
    const answer = await client.send(
      { api: writer.api, body: writer.body(request) },
      new AbortController().signal,
    );
    assert.equal(answer.error, undefined);
    assert.equal(answer.usage?.promptTokens, request.promptTokens);
    found.push(answer.usage?.cachedTokens ?? Number.NaN);
    const reference = references.get(answer.engine ?? '');
    expected.push((reference?.serve(request.blockIds) ?? Number.NaN) * blockTokens);
  }
  let [queries, hits] = [0, 0];
  for (const engine of fleet.engines) {
    queries += await metric(engine, 'vllm:prefix_cache_queries_total');
    hits += await metric(engine, 'vllm:prefix_cache_hits_total');
  }
  return { found, expected, queries, hits };
}

test('under round robin every request finds cached what the reference says', async (t) => {
  const { found, expected, queries, hits } = await serve(t, {
    engines: 4,
    blocksMax: 1000,
    requests: 500,
  });
  assert.deepEqual(found, expected);
  assert.equal(hits, total(expected), 'the engines count the same hits');
  const prompts = await shrunkTrace(500);
  assert.equal(queries, total(prompts.map((request) => request.promptTokens)));
  assert.ok(
    found.some((tokens) => tokens > 5 * blockTokens),
    'some share more than block 0',
  );
});

test('a single engine with enough capacity finds every repeated prefix', async (t) => {
  const { found, expected } = await serve(t, { engines: 1, blocksMax: 8000, requests: 400 });
  assert.deepEqual(found, expected);
});

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
