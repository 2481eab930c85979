// The embedded engine against recordings of real vLLM 0.32.0: every request, on all three servers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  createEngineServer,
  type EngineServerOptions,
  readTokenizerInfo,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { defaultKvEventsConfig } from '../../src/core/protocol/index.ts';
import { writeTinyModel } from '../lanes/vllm/tiny-model.ts';
import { compareAnswers } from '../support/wire-compare.ts';
import { record, type WireAnswer, type WireCase } from '../support/wire-record.ts';

const noise = 'the pieces are those of the text that random weights wrote';

/** Cases that need not agree, each with its reason. */
const knownDifferences: Readonly<Record<string, string>> = {
  'completions/logprobs-0': noise,
  'completions/logprobs-stream': noise,
  'completions/echo-logprobs': noise,
  'tools/named-stream': noise,
  'tools/named-return-token-ids-stream': noise,
};

const { cases } = JSON.parse(read('cases.json')) as { readonly cases: readonly WireCase[] };

test('the server with all flags of the main recording agrees in every case', async () => {
  await check('main', 'real-0.32.0', {
    enablePromptTokensDetails: true,
    enableServerLoadTracking: true,
    enableAutoToolChoice: true,
    toolCallParser: 'hermes',
    enableScaleOut: true,
  });
});

test('a server without flags agrees in every case', async () => {
  await check('bare', 'real-0.32.0-bare', {});
});

test('a server with an API key, request ids, metrics and a reasoning parser agrees in every case', async () => {
  await check('auth', 'real-0.32.0-auth', {
    apiKey: 'key-1',
    enableRequestIdHeaders: true,
    enableForceIncludeUsage: true,
    enablePerRequestMetrics: true,
    reasoningParser: 'qwen3',
    tokenizerInfo: await readTokenizerInfo({ model: 'tiny' }),
    servedModelNames: ['tiny', 'tiny-alias'],
  });
});

async function check(
  server: string,
  recording: string,
  flags: Partial<EngineServerOptions>,
): Promise<void> {
  const real = new Map(
    read(`${recording}.jsonl`)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as WireAnswer)
      .map((answer) => [answer.id, answer]),
  );
  const folder = mkdtempSync(join(tmpdir(), 'tiny-'));
  writeTinyModel(folder);
  // The recorded model's own, which is Qwen3's.
  const sampling = { temperature: 0.6, top_k: 20, top_p: 0.95, eos_token_id: [151_645, 151_643] };
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(sampling));
  const engine = await createEngineServer({
    ...(await resolveEngine({ model: folder, config: { maxModelLen: 8192, blockSize: 128 } })),
    port: 0,
    timeScale: Number.POSITIVE_INFINITY,
    servedModelNames: ['tiny'],
    kvEvents: {
      ...defaultKvEventsConfig,
      enable_kv_cache_events: true,
      publisher: 'zmq',
      endpoint: 'tcp://127.0.0.1:0',
      replay_endpoint: 'tcp://127.0.0.1:0',
    },
    ...flags,
  });
  const differences: string[] = [];
  try {
    for (const one of cases.filter((each) => (each.server ?? 'main') === server)) {
      const expected = real.get(one.id);
      const answer = await record(one, engine.url);
      if (one.reference || !expected || one.id in knownDifferences) continue;
      const difference = compareAnswers(expected, answer, one);
      if (difference) differences.push(`${one.id}: ${difference}`);
    }
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
  assert.deepEqual(differences, []);
}

function read(name: string): string {
  return gunzipSync(
    readFileSync(new URL(`../conformance/vllm-wire/${name}.gz`, import.meta.url)),
  ).toString();
}
