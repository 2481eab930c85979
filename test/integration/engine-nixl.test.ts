// Embedded engines that hand prompts over to each other as vLLM's NIXL connector does, alone and behind a router.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { startRouter } from '../../src/apps/router/index.ts';
import { parseKvTransferConfig } from '../../src/core/vllm-config/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { metric } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const model = 'Qwen/Qwen3-8B';
/** 50 blocks of 16 tokens, and a rest. */
const prompt = Array.from({ length: 805 }, (_, i) => 1000 + i);
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

interface Completion {
  readonly choices: readonly { readonly text: string }[];
  readonly usage: { readonly prompt_tokens_details?: { readonly cached_tokens: number } };
  readonly kv_transfer_params: Readonly<Record<string, unknown>> | null;
}

async function engine(t: TestContext, loadFailure = 'fail'): Promise<EngineServer> {
  const transfer = parseKvTransferConfig(
    JSON.stringify({
      ...{ kv_connector: 'NixlConnector', kv_role: 'kv_both' },
      kv_load_failure_policy: loadFailure,
    }),
  );
  const { notes: _, ...resolved } = await resolveEngine({
    ...{ model, numGpuBlocks: 2000, config: { maxModelLen: 8192 } },
    tier: { transfer },
  });
  const server = await createEngineServer({
    ...{ ...resolved, port: 0, timeScale: 20 },
    enablePromptTokensDetails: true,
  });
  t.after(() => server.close());
  return server;
}

function post(url: string, body: object): Promise<Response> {
  return fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, temperature: 0, ...body }),
  });
}

async function completion(url: string, body: object): Promise<Completion> {
  const response = await post(url, body);
  assert.equal(response.status, 200);
  return (await response.json()) as Completion;
}

/** What a router asks of the engine that prefills. */
const keeps = { max_tokens: 1, kv_transfer_params: { do_remote_decode: true } };

async function prefilled(server: EngineServer) {
  const { kv_transfer_params: params } = await completion(server.url, keeps);
  return params ?? assert.fail();
}

/** Blocks that cannot be given to others: the cache holds on to free ones. */
const usage = (server: EngineServer) => metric(server, 'vllm:kv_cache_usage_perc');

test('an engine reads the prompt that another one has computed, which then frees its blocks', async (t) => {
  const [p, d] = [await engine(t), await engine(t)];
  const params = await prefilled(p);
  const { remote_block_ids: blocks, remote_engine_id: id, remote_port: port, ...rest } = params;
  assert.equal((blocks as number[]).length, 51);
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.ok(Number(port) > 0);
  assert.match(String(rest['remote_request_id']), /^cmpl-/);
  assert.deepEqual(
    { ...rest, remote_request_id: '' },
    {
      ...{ do_remote_prefill: true, do_remote_decode: false, remote_request_id: '' },
      ...{ remote_host: '127.0.0.1', tp_size: 1, remote_num_tokens: 805 },
    },
  );
  const whole = await completion(await engine(t).then(({ url }) => url), { max_tokens: 30 });
  const read = await completion(d.url, { max_tokens: 30, kv_transfer_params: params });
  assert.equal(read.choices[0]?.text, whole.choices[0]?.text);
  assert.equal(read.usage.prompt_tokens_details?.cached_tokens, 805);
  assert.equal(read.kv_transfer_params, null);
  await until(async () => (await usage(p)) === 0);
});

test('what nobody reads is kept, and cannot be read twice', async (t) => {
  const [p, d] = [await engine(t, 'fail'), await engine(t, 'recompute')];
  const params = await prefilled(p);
  await completion(p.url, { max_tokens: 2, prompt: [1, 2, 3] });
  assert.ok((await usage(p)) > 0.02);
  assert.equal(
    (await completion(d.url, { ...keeps, kv_transfer_params: params })).kv_transfer_params,
    null,
  );
  await until(async () => (await usage(p)) === 0);
  const again = {
    max_tokens: 2,
    kv_transfer_params: params,
    prompt: prompt.map((id) => id + 9000),
  };
  const computed = await completion(d.url, again);
  assert.equal(computed.usage.prompt_tokens_details?.cached_tokens, 0);
});

test('a prompt that is lost fails the request, or is computed again, as vLLM is told to', async (t) => {
  const p = await engine(t);
  const [fails, recomputes] = [await engine(t, 'fail'), await engine(t, 'recompute')];
  const params = await prefilled(p);
  await p.close();
  const body = { max_tokens: 3, kv_transfer_params: params };
  const failed = await post(fails.url, body);
  assert.equal(failed.status, 500);
  const computed = await completion(recomputes.url, body);
  assert.equal(computed.usage.prompt_tokens_details?.cached_tokens, 0);
  assert.equal((await completion(fails.url, { max_tokens: 3 })).choices.length, 1, 'goes on');
});

test('a response that ends by itself, or that is streamed, hands nothing over', async (t) => {
  const p = await engine(t);
  const streamed = await post(p.url, { ...keeps, stream: true });
  assert.doesNotMatch(await streamed.text(), /remote_block_ids/);
  const plain = await completion(p.url, { max_tokens: 1 });
  assert.equal(plain.kv_transfer_params, null);
  const odd = { do_remote_prefill: true, remote_host: 3 };
  assert.equal(
    (await completion(p.url, { max_tokens: 1, kv_transfer_params: odd })).choices.length,
    1,
  );
});

test('behind a router, each request is prefilled on one engine and decoded on another, with the same text', async (t) => {
  const servers = [await engine(t), await engine(t), await engine(t)];
  const [p, , alone] = servers as [EngineServer, EngineServer, EngineServer];
  const router = await startRouter({
    ...{ port: 0, log, policy: 'disaggregated_prefill_orchestrated' },
    engines: servers
      .slice(0, 2)
      .map(({ url }, i) => ({ url, models: [], label: i === 0 ? 'p' : 'd' })),
    disaggregation: {
      ...{ prefillLabels: ['p'], decodeLabels: ['d'], remotePrefillTokensMin: 0 },
      ...{ prefillPolicy: 'leastloaded', decodePolicy: 'predictive' },
    },
  });
  t.after(() => router.close(0));
  await router.probed;
  const prompts = Array.from({ length: 12 }, (_, i) => prompt.map((id) => id + 100 * i));
  await Promise.all(
    prompts.map(async (tokens) => {
      const body = { prompt: tokens, max_tokens: 20 };
      const [split, whole] = await Promise.all([
        completion(router.url, body),
        completion(alone.url, body),
      ]);
      assert.equal(split.choices[0]?.text, whole.choices[0]?.text);
      assert.equal(split.usage.prompt_tokens_details?.cached_tokens, 805);
    }),
  );
  const page = await (await fetch(`${router.url}/metrics`)).text();
  assert.match(page, /spillway_router_prefill_handoffs_total\{outcome="transferred"\} 12/);
  await until(async () => (await usage(p)) === 0);
});
