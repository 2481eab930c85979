// Embeddings, scores and reranking on embedded engines, over real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import {
  createEngineServer,
  type EngineServerOptions,
  type EngineSettings,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { models } from '../../src/core/engine/index.ts';
import { embedsAndScores, type Json, post, scores } from '../support/answers.ts';

async function serve(
  t: TestContext,
  settings: EngineSettings,
  more: Partial<EngineServerOptions> = {},
): Promise<string> {
  const server = await createEngineServer({
    ...(await resolveEngine(settings)),
    ...{ port: 0, timeScale: Number.POSITIVE_INFINITY },
    ...more,
  });
  t.after(() => server.close());
  return server.url;
}

for (const { name, pooling } of models.filter((model) => model.pooling !== undefined)) {
  test(`${name} answers on the routes of its task, and has no others`, async (t) => {
    const url = await serve(t, { model: name });
    if (pooling?.task === 'embed') await embedsAndScores(url, name);
    else await scores(url, name);
    const messages = [{ role: 'user', content: 'Hello' }];
    const chat = await post(`${url}/v1/chat/completions`, { model: name, messages });
    assert.deepEqual([chat.status, chat.body], [404, { detail: 'Not Found' }]);
    if (pooling?.task === 'embed') return;
    assert.equal((await post(`${url}/v1/embeddings`, { input: 'Hello' })).status, 404);
  });
}

test('a model that generates text has no routes for vectors and scores, as in vLLM', async (t) => {
  const url = await serve(t, { model: 'Qwen/Qwen3-0.6B' });
  for (const path of ['/v1/embeddings', '/score', '/v1/score', '/rerank', '/v2/rerank']) {
    const { status, body } = await post(`${url}${path}`, { input: 'Hello' });
    assert.deepEqual([path, status, body], [path, 404, { detail: 'Not Found' }]);
  }
});

test('vectors are normalized, constant, as long as the model is wide, and near for similar texts', async (t) => {
  const model = 'Qwen/Qwen3-Embedding-0.6B';
  const client = new OpenAI({ baseURL: `${await serve(t, { model })}/v1`, apiKey: 'none' });
  const input = ['The cat sat on the mat', 'A cat sat on a mat', 'Quarterly revenue grew by 4 %'];
  // The client asks for base64 and decodes it.
  const { data, usage, object } = await client.embeddings.create({ model, input });
  assert.equal(object, 'list');
  const [a = [], b = [], c = []] = data.map(({ embedding }) => embedding);
  assert.deepEqual(
    data.map(({ index, object }) => [index, object]),
    [0, 1, 2].map((index) => [index, 'embedding']),
  );
  const dot = (x: number[], y: number[]) =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  assert.deepEqual([a.length, Math.round(1e6 * dot(a, a)) / 1e6], [1024, 1]);
  assert.ok(dot(a, b) > dot(a, c) + 0.2, `${dot(a, b)} ${dot(a, c)}`);
  const floats = await client.embeddings.create({ model, input, encoding_format: 'float' });
  assert.deepEqual(floats.data[0]?.embedding, a);
  const alone = await client.embeddings.create({ model, input: input[0] ?? '' });
  assert.deepEqual(alone.data[0]?.embedding, a, 'whatever else is in the request');
  const counts = await Promise.all(
    input.map(async (one) => (await client.embeddings.create({ model, input: one })).usage),
  );
  assert.equal(
    usage.prompt_tokens,
    counts.reduce((sum, { prompt_tokens: n }) => sum + n, 0),
  );
  assert.equal(usage.total_tokens, usage.prompt_tokens);
});

test('input is text, tokens, lists of either, or a conversation', async (t) => {
  const url = await serve(t, { model: 'Qwen/Qwen3-Embedding-0.6B' });
  const ask = async (body: object): Promise<readonly unknown[]> => {
    const answer = await post(`${url}/v1/embeddings`, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return (answer.body['data'] as readonly Json[]).map(({ embedding }) => embedding);
  };
  const { body } = await post(`${url}/tokenize`, { prompt: 'Hello, world!' });
  const tokens = body['tokens'] as number[];
  const [text] = await ask({ input: 'Hello, world!' });
  assert.deepEqual(await ask({ input: tokens }), [text]);
  assert.deepEqual(await ask({ input: [tokens, tokens] }), [text, text]);
  assert.deepEqual(await ask({ input: ['Hello, world!', 'x'] }).then(([first]) => first), text);
  assert.equal((await ask({ messages: [{ role: 'user', content: 'Hello' }] })).length, 1);
  const refused = async (input: unknown, message: RegExp): Promise<void> => {
    const { status, body: error } = await post(`${url}/v1/embeddings`, { input });
    assert.equal(status, 400);
    assert.match(JSON.stringify(error), message);
  };
  await refused([151_936], /Token id 151936 is out of vocabulary/);
  await refused([], /./);
  await refused('', /cannot be empty/);
  await refused('a b '.repeat(20_000), /maximum context length is 32768 tokens/);
});

test('vectors are shortened only where the model supports it', async (t) => {
  const model = 'Qwen/Qwen3-Embedding-0.6B';
  const own = await serve(t, { model });
  const refused = await post(`${own}/v1/embeddings`, { input: 'Hello', dimensions: 256 });
  assert.equal(refused.status, 400);
  assert.match(JSON.stringify(refused.body), /does not support matryoshka representation/);
  const of = async (url: string, dimensions: number): Promise<number | string> => {
    const { status, body } = await post(`${url}/v1/embeddings`, { input: 'Hello', dimensions });
    if (status !== 200) return JSON.stringify(body);
    const [first] = body['data'] as readonly { readonly embedding: number[] }[];
    return first?.embedding.length ?? 0;
  };
  const any = await serve(t, { model, poolingFlags: { hfOverrides: '{"is_matryoshka": true}' } });
  assert.equal(await of(any, 256), 256);
  assert.match(String(await of(any, 0)), /Dimensions must be greater than 0/);
  const listed = '{"is_matryoshka": true, "matryoshka_dimensions": [128, 512]}';
  const some = await serve(t, { model, poolingFlags: { hfOverrides: listed } });
  assert.equal(await of(some, 512), 512);
  assert.match(String(await of(some, 256)), /only supports \[128, 512\] matryoshka dimensions/);
});

test('documents are ranked by what they share with the query, and usage counts each pair', async (t) => {
  const query = 'What is the capital of France?';
  const documents = [
    'Bread needs flour',
    'The capital of France is Paris.',
    'Some rivers of France are long',
  ];
  for (const model of ['BAAI/bge-reranker-v2-m3', 'BAAI/bge-m3']) {
    const url = await serve(t, { model });
    const { body } = await post(`${url}/v1/rerank`, { model, query, documents, top_n: 2 });
    const results = body['results'] as readonly Json[];
    assert.deepEqual(
      results.map(({ index }) => index),
      [1, 2],
      model,
    );
    assert.deepEqual(results[0]?.['document'], { text: documents[1], multi_modal: null });
    const pairs = await post(`${url}/score`, { model, text_1: query, text_2: documents });
    const list = pairs.body['data'] as readonly { readonly score: number }[];
    assert.equal(list[1]?.score, results[0]?.['relevance_score']);
    assert.deepEqual(
      (pairs.body['usage'] as Json)['prompt_tokens'],
      (body['usage'] as Json)['prompt_tokens'],
    );
    const wrong = await post(`${url}/score`, { text_1: [query, query], text_2: documents });
    assert.match(JSON.stringify(wrong.body), /Input lengths must be either 1:1, 1:N or N:N/);
  }
});

test('a prompt that is only computed counts as a prompt, not as a generated token', async (t) => {
  const url = await serve(t, { model: 'BAAI/bge-m3' });
  const { body } = await post(`${url}/v1/embeddings`, { input: ['One', 'Two words'] });
  const tokens = (body['usage'] as Json)['prompt_tokens'];
  const text = await (await fetch(`${url}/metrics`)).text();
  const metric = (name: string) =>
    Number(new RegExp(`^vllm:${name}\\{.*\\} (\\S+)$`, 'm').exec(text)?.[1]);
  assert.equal(metric('prompt_tokens_total'), tokens);
  assert.equal(metric('generation_tokens_total'), 0);
  assert.equal(metric('time_to_first_token_seconds_count'), 2);
  assert.match(text, /request_success_total\{.*finished_reason="stop".*\} 2(\.0)?\n/);
});

test('--runner pooling and --convert turn a generating model into one of vectors or scores', async (t) => {
  const model = 'Qwen/Qwen3-0.6B';
  await embedsAndScores(await serve(t, { model, poolingFlags: { runner: 'pooling' } }), model);
  await scores(await serve(t, { model, poolingFlags: { convert: 'classify' } }), model);
  await assert.rejects(
    resolveEngine({ model: 'BAAI/bge-m3', poolingFlags: { runner: 'generate' } }),
    /BAAI\/bge-m3 generates no text/,
  );
});
