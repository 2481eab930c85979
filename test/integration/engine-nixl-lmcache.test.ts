// Disaggregated prefill with LMCache beside NIXL (MultiConnector): a transfer that no engine reads is not lost, because the
// engine that prefilled has stored the prompt in LMCache's store, where any engine finds it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { parseKvTransferConfig } from '../../src/core/vllm-config/index.ts';
import { testCache } from '../support/cache.ts';
import { metric } from '../support/fleet.ts';
import { until } from '../support/until.ts';

const model = 'Qwen/Qwen3-8B';
/** Three chunks of 256 tokens and a rest. */
const prompt = Array.from({ length: 800 }, (_, i) => 1000 + i);

/** As in a values file's `--kv-transfer-config`. */
const transfer = parseKvTransferConfig(
  JSON.stringify({
    ...{ kv_connector: 'MultiConnector', kv_role: 'kv_both' },
    kv_connector_extra_config: {
      connectors: [
        {
          ...{ kv_connector: 'NixlConnector', kv_role: 'kv_both' },
          kv_load_failure_policy: 'recompute',
        },
        {
          ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
          kv_connector_extra_config: { 'spillway.byte_share': 1 / 256 },
        },
      ],
    },
  }),
);

async function engine(t: TestContext, remoteUrl: string): Promise<EngineServer> {
  const { notes: _, ...resolved } = await resolveEngine({
    ...{ model, numGpuBlocks: 2000, config: { maxModelLen: 8192 } },
    tier: {
      transfer,
      lmcache: {
        ...{ chunkTokens: 256, hostBytes: 0, diskBytes: 0 },
        remoteUrl,
        timeoutMs: 10_000,
      },
    },
  });
  const server = await createEngineServer({
    ...{ ...resolved, port: 0, timeScale: 20 },
    enablePromptTokensDetails: true,
  });
  t.after(() => server.close());
  return server;
}

async function completion(server: EngineServer, body: object) {
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, temperature: 0, ...body }),
  });
  assert.equal(response.status, 200);
  return (await response.json()) as {
    readonly choices: readonly { readonly text: string }[];
    readonly usage: { readonly prompt_tokens_details?: { readonly cached_tokens: number } };
    readonly kv_transfer_params: Readonly<Record<string, unknown>> | null;
  };
}

/** Prefills on an engine, as a router asks for it, until all chunks are in the store. */
async function prefilled(server: EngineServer) {
  const keeps = { max_tokens: 1, kv_transfer_params: { do_remote_decode: true } };
  const { kv_transfer_params: params } = await completion(server, keeps);
  await until(async () => (await metric(server, 'lmcache:num_remote_write_bytes_total')) > 0);
  await until(async () => (await metric(server, 'lmcache:remote_put_task_num')) === 0);
  return params ?? assert.fail('the engine hands its prompt over');
}

test('a transfer that no engine reads is found in LMCache by the engine that gets the prompt later', async (t) => {
  const { urls } = await testCache(t);
  const [p, d, alone] = await Promise.all([0, 1, 2].map(() => engine(t, urls[0] as string)));
  assert.ok(p && d && alone);
  // The client is gone before the second leg: no engine reads the transfer.
  await prefilled(p);
  assert.ok(
    (await metric(p, 'vllm:kv_cache_usage_perc')) > 0,
    'its blocks still wait for a reader',
  );
  // The prompt comes back, to an engine that decodes and never had it.
  const again = await completion(d, { max_tokens: 20 });
  assert.equal(again.usage.prompt_tokens_details?.cached_tokens, 768);
  assert.equal(await metric(d, 'vllm:external_prefix_cache_hits_total'), 768);
  assert.equal(await metric(d, 'lmcache:num_remote_read_requests_total'), 3);
  assert.equal(await metric(d, 'spillway_lmcache_wrong_chunks_total'), 0);
  const whole = await completion(alone, { max_tokens: 20 });
  assert.equal(again.choices[0]?.text, whole.choices[0]?.text);
});

test('so it is when the engine that prefilled is gone with its transfer', async (t) => {
  const { urls } = await testCache(t);
  const [p, d] = await Promise.all([0, 1].map(() => engine(t, urls[0] as string)));
  assert.ok(p && d);
  const params = await prefilled(p);
  await p.close();
  // With the transfer's parameters the prompt counts as NIXL's, whose load fails: it is computed, as vLLM does.
  const other = prompt.map((id) => id + 5000);
  const lost = await completion(d, { max_tokens: 3, prompt: other, kv_transfer_params: params });
  assert.equal(lost.usage.prompt_tokens_details?.cached_tokens, 0);
  const again = await completion(d, { max_tokens: 3 });
  assert.equal(again.usage.prompt_tokens_details?.cached_tokens, 768);
});
