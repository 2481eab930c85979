// From names and folders to an engine's blocks, step times and tokenizer.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveEngine } from '../../src/apps/engine/index.ts';

/** 8 sequences that decode at a context of 1,000 tokens each. */
const decodeStep = {
  ...{ sequences: 8, tokens: 8, prefillTokens: 0, prefillTokenContext: 0 },
  ...{ prefillTokensSquared: 0, decodeSequences: 8, decodeContextTokens: 8000 },
};

test('a model of the catalogue on a GPU gets vLLM’s defaults and the blocks that fit', async () => {
  const { config, cost, vocabularySize } = await resolveEngine({ model: 'Qwen/Qwen3-8B' });
  assert.equal(config.blockSize, 16);
  assert.equal(config.maxNumBatchedTokens, 8192);
  assert.ok(config.numGpuBlocks > 20_000 && config.numGpuBlocks < 30_000);
  assert.equal(vocabularySize, 151_936);
  // The weights alone, 16 GB at 3.35 TB/s, take 4.8 ms.
  const seconds = cost.stepSeconds(decodeStep);
  assert.ok(seconds > 0.0048 && seconds < 0.012, `${seconds}`);
});

test('given settings override derived ones', async () => {
  const { config } = await resolveEngine({
    model: 'qwen3-0.6b',
    gpu: 'CPU',
    numGpuBlocks: 99,
    config: { maxModelLen: 1024, blockSize: 32, schedulingPolicy: 'priority' },
  });
  assert.deepEqual(
    [config.numGpuBlocks, config.maxModelLen, config.blockSize, config.schedulingPolicy],
    [99, 1024, 32, 'priority'],
  );
});

test('a context that the KV cache lowers is noted, with what vLLM would do', async () => {
  const small = { model: 'Qwen/Qwen3-8B', gpu: 'A10' } as const;
  const notesOf = async (more: object) => (await resolveEngine({ ...small, ...more })).notes;
  assert.match((await notesOf({})).join(), /^max_model_len is \d+, .* vLLM would not start/);
  assert.match(
    (await notesOf({ fitsContext: true })).join(),
    /^max_model_len is \d+, .* tokens\.$/,
  );
  assert.deepEqual(await notesOf({ config: { maxModelLen: 4096 } }), []);
});

test('a folder with config.json is a model, with Qwen3’s tokenizer if it has none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-model-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(folder, { recursive: true });
  const shape = {
    ...{ model_type: 'qwen3', hidden_size: 128, intermediate_size: 256, vocab_size: 151_936 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, num_hidden_layers: 2 },
    ...{ tie_word_embeddings: true, max_position_embeddings: 4096 },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(shape));
  const resolved = await resolveEngine({ model: folder, gpu: 'CPU' });
  assert.equal(resolved.config.maxModelLen, 4096);
  assert.equal(resolved.tokenizer.eosTokenId, 151_645);
  await writeFile(join(folder, 'config.json'), '{"hidden_size": 1}');
  await assert.rejects(resolveEngine({ model: folder }), /config\.json of .* has no number/);
});

test('each unknown name is reported in one sentence', async () => {
  await assert.rejects(
    resolveEngine({ model: 'Qwen/Qwen3-8' }),
    /the nearest models are Qwen\/Qwen3-8B, /,
  );
  await assert.rejects(
    resolveEngine({ model: '/nowhere' }),
    /^InputError: There is no \/nowhere\/config\.json on this machine; .* --stand-in /,
  );
  await assert.rejects(resolveEngine({ model: 'Qwen/Qwen3-8B', gpu: 'H1000' }), /H1000/);
  await assert.rejects(
    resolveEngine({ model: 'Qwen/Qwen3-8B', profile: '/nowhere' }),
    /Cannot read the profile directory \/nowhere: no such file/,
  );
});
