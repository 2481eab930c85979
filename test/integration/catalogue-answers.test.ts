// Every model of the catalogue answers, and an engine without its model's tokenizer has one account of its tokens.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer, resolveEngine } from '../../src/apps/engine/index.ts';
import { models } from '../../src/core/engine/index.ts';
import { PromptTokenizer } from '../../src/core/prompts/index.ts';
import { Tokenizer } from '../../src/core/tokenizer/index.ts';
import { findTokenizer } from '../../src/io/tokenizers/index.ts';
import { answersToEach, type Json, post } from '../support/answers.ts';

/** GPUs of one engine; the smallest number that holds the weights is used. */
const layouts = [1, 8, 16].map((gpus) => ({
  ...{ gpu: 'B200', tensorParallelSize: Math.min(gpus, 8) },
  ...(gpus > 8 && { pipelineParallelSize: gpus / 8 }),
}));

async function serve(t: TestContext, model: string): Promise<string> {
  for (const [index, layout] of layouts.entries()) {
    const resolved = await resolveEngine({ model, ...layout, fitsContext: true }).catch((error) => {
      if (index === layouts.length - 1) throw error;
    });
    if (resolved === undefined) continue;
    const server = await createEngineServer({
      ...{ ...resolved, port: 0, timeScale: Number.POSITIVE_INFINITY },
      ...{ toolCallParser: 'hermes', enableAutoToolChoice: true },
    });
    t.after(() => server.close());
    return server.url;
  }
  return assert.fail('no layout');
}

for (const { name } of models.filter(({ pooling }) => pooling === undefined)) {
  test(`${name} answers on each API`, async (t) => {
    await answersToEach(await serve(t, name), name);
  });
}

/** Their vocabularies are smaller, equal and larger than that of Qwen3's tokenizer. */
const ofEachSize = ['meta-llama/Llama-3.1-8B', 'Qwen/Qwen3-8B', 'google/gemma-3-4b'];

for (const model of ofEachSize) {
  test(`the tokens of ${model} are the same in every response, and for a router`, async (t) => {
    const url = await serve(t, model);
    const ask = async (path: string, body: object): Promise<Json> => {
      const { status, body: answer } = await post(`${url}${path}`, { model, ...body });
      assert.equal(status, 200, `${path}: ${JSON.stringify(answer)}`);
      return answer;
    };
    const messages = [{ role: 'user', content: 'Grüße, 世界!' }];
    const { tokens } = await ask('/tokenize', { messages });
    const chat = await ask('/v1/chat/completions', {
      ...{ messages, max_tokens: 4, return_token_ids: true, logprobs: true, top_logprobs: 3 },
    });
    assert.deepEqual(chat['prompt_token_ids'], tokens);
    assert.equal((chat['usage'] as Json)['prompt_tokens'], (tokens as number[]).length);
    const { prompt } = await ask('/detokenize', { tokens });
    assert.match(String(prompt), /user\nGrüße, 世界!/);

    const engine = { url, authorization: undefined };
    const noCache = { SPILLWAY_CACHE_DIR: '' };
    const found = await findTokenizer({ source: 'auto', root: model, engine }, noCache);
    const routed = new PromptTokenizer(new Tokenizer(found.definition)).tokenize('chat', {
      messages,
    });
    assert.ok(typeof routed === 'object');
    assert.deepEqual([...routed.tokens], tokens);

    // What the engine says of its tokens can be sent back to it.
    const [end = 0] = (tokens as number[]).slice(-1);
    await ask('/v1/completions', {
      ...{ prompt: tokens, max_tokens: 2, stop_token_ids: [end], logit_bias: { [end]: 1 } },
      ...{ allowed_token_ids: tokens },
    });
  });

  test(`ids that neither ${model} nor its tokenizer has are refused`, async (t) => {
    const url = await serve(t, model);
    const { vocabSize } = models.find(({ name }) => name === model) ?? assert.fail();
    const bound = Math.max(vocabSize, 151_669);
    const statusOf = async (id: number) => post(`${url}/v1/completions`, { prompt: [9707, id] });
    assert.equal((await statusOf(bound - 1)).status, 200);
    const { status, body } = await statusOf(bound);
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), new RegExp(`Token id ${bound} is out of vocabulary`));
  });
}

test('a model with a context of 2,048 tokens answers a chat that does not limit its response', async (t) => {
  const url = await serve(t, 'facebook/opt-125m');
  const messages = [{ role: 'user', content: 'Hello' }];
  const { status } = await post(`${url}/v1/chat/completions`, { messages });
  assert.equal(status, 200);
});

test('a folder whose tokenizer is of another kind is served with Qwen3’s, without its end tokens', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-model-'));
  t.after(() => rm(folder, { recursive: true }));
  const shape = {
    ...{ model_type: 'llama', hidden_size: 2048, intermediate_size: 5632, vocab_size: 32_000 },
    ...{ num_attention_heads: 32, num_key_value_heads: 4, num_hidden_layers: 22 },
    ...{ tie_word_embeddings: false, max_position_embeddings: 2048 },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(shape));
  await writeFile(join(folder, 'tokenizer.json'), '{"model": {"type": "Unigram", "vocab": {}}}');
  await writeFile(join(folder, 'generation_config.json'), '{"eos_token_id": [2], "top_k": 5}');
  const resolved = await resolveEngine({ model: folder });
  assert.equal(resolved.hasStandInTokenizer, true);
  assert.match(resolved.notes.join(), /model Unigram is not supported.*Qwen3's stands in/);
  assert.deepEqual(resolved.samplingDefaults, { top_k: 5, endTokens: [] });
  await answersToEach(await serve(t, folder), folder);
});

test('a stand-in serves its size under any name', async (t) => {
  const resolved = await resolveEngine({ model: 'gpt-4o', standIn: 'Qwen/Qwen3-0.6B' });
  const own = await resolveEngine({ model: 'Qwen/Qwen3-0.6B' });
  assert.deepEqual(resolved.config, own.config);
  const server = await createEngineServer({
    ...{ ...resolved, port: 0, timeScale: Number.POSITIVE_INFINITY },
    ...{ toolCallParser: 'hermes', enableAutoToolChoice: true },
  });
  t.after(() => server.close());
  await answersToEach(server.url, 'gpt-4o');
});
