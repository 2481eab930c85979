// Embeddings, scores and reranking on embedded engines, over real sockets.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Sends a body. @returns The response with its bytes. */
async function bytesOf(url: string, body: object): Promise<{ headers: Headers; bytes: Buffer }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200);
  return { headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

test('vectors come in each encoding of vLLM', async (t) => {
  const model = 'BAAI/bge-small-en-v1.5';
  const url = `${await serve(t, { model })}/v1/embeddings`;
  const input = ['Hello', 'Bye'];
  const { body } = await post(url, { input });
  const floats = (body['data'] as readonly { readonly embedding: number[] }[]).map(
    ({ embedding }) => embedding,
  );
  const whole = await bytesOf(url, { input, encoding_format: 'bytes' });
  assert.equal(whole.headers.get('content-type'), 'application/octet-stream');
  const metadata = JSON.parse(whole.headers.get('metadata') ?? '') as Json;
  assert.deepEqual(metadata['data'], [
    { index: 0, embed_dtype: 'float32', endianness: 'native', start: 0, end: 1536, shape: [384] },
    {
      index: 1,
      embed_dtype: 'float32',
      endianness: 'native',
      start: 1536,
      end: 3072,
      shape: [384],
    },
  ]);
  assert.deepEqual(
    (metadata['usage'] as Json)['prompt_tokens'],
    (body['usage'] as Json)['prompt_tokens'],
  );
  const read = (bytes: Buffer, at: number) => bytes.readFloatLE(4 * at);
  assert.deepEqual(
    [read(whole.bytes, 0), read(whole.bytes, 384)],
    [floats[0]?.[0], floats[1]?.[0]],
  );
  const only = await bytesOf(url, { input, encoding_format: 'bytes_only', endianness: 'big' });
  assert.equal(only.headers.get('metadata'), null);
  assert.equal(only.bytes.readFloatBE(4), floats[0]?.[1]);
  for (const [embed_dtype, size, error] of [
    ['float16', 2, 2 ** -11],
    ['bfloat16', 2, 2 ** -8],
    ['fp8_e4m3', 1, 2 ** -4],
    ['fp8_e5m2', 1, 2 ** -3],
  ] as const) {
    const { bytes } = await bytesOf(url, { input, encoding_format: 'bytes_only', embed_dtype });
    assert.equal(bytes.length, 2 * 384 * size, embed_dtype);
    const answer = await post(url, { input, encoding_format: 'base64', embed_dtype });
    const [first] = answer.body['data'] as readonly { readonly embedding: string }[];
    assert.deepEqual(Buffer.from(first?.embedding ?? '', 'base64'), bytes.subarray(0, 384 * size));
    for (const [i, value] of (floats[0] ?? []).entries()) {
      const bits = size === 1 ? bytes.readUInt8(i) : bytes.readUInt16LE(2 * i);
      // Below the smallest normal number, the error is one of distance.
      const tolerance = Math.max(Math.abs(value) * error, 2 ** -10);
      assert.ok(
        Math.abs(narrowed(bits, embed_dtype) - value) <= tolerance,
        `${embed_dtype} ${value}`,
      );
    }
  }
});

/** The number of the bits of a narrow float. */
function narrowed(bits: number, dtype: 'float16' | 'bfloat16' | 'fp8_e4m3' | 'fp8_e5m2'): number {
  const [exponentBits, mantissaBits] = {
    ...{ float16: [5, 10] as const, bfloat16: [8, 7] as const },
    ...{ fp8_e4m3: [4, 3] as const, fp8_e5m2: [5, 2] as const },
  }[dtype];
  const mantissa = bits % 2 ** mantissaBits;
  const exponent = Math.floor(bits / 2 ** mantissaBits) % 2 ** exponentBits;
  const sign = bits >= 2 ** (exponentBits + mantissaBits) ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  return exponent === 0
    ? sign * mantissa * 2 ** (1 - bias - mantissaBits)
    : sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias);
}

test('/pooling and /classify answer where vLLM has them', async (t) => {
  const embedder = await serve(t, { model: 'BAAI/bge-m3' });
  const vectors = await post(`${embedder}/v1/embeddings`, { input: 'Hello' });
  const pooled = await post(`${embedder}/pooling`, { input: 'Hello' });
  const [first] = pooled.body['data'] as readonly Json[];
  assert.match(String(pooled.body['id']), /^pooling-/);
  assert.deepEqual(
    [first?.['object'], first?.['data']],
    ['pooling', (vectors.body['data'] as readonly Json[])[0]?.['embedding']],
  );
  assert.equal((await post(`${embedder}/classify`, { input: 'Hello' })).status, 404);
  const refused = async (body: object, message: RegExp) => {
    const answer = await post(`${embedder}/pooling`, { input: 'Hello', ...body });
    assert.equal(answer.status, 400);
    assert.match(JSON.stringify(answer.body), message);
  };
  await refused({ dimensions: 2 }, /dimensions is currently not supported/);
  await refused({ task: 'classify' }, /Unsupported task: 'classify'/);
  await refused({ task: 'token_embed' }, /--pooler-config\.task token_embed/);

  const scorer = await serve(t, { model: 'BAAI/bge-reranker-v2-m3' });
  const { body } = await post(`${scorer}/classify`, { input: ['Good', 'Bad'] });
  const items = body['data'] as readonly { label: string; probs: number[]; num_classes: number }[];
  assert.deepEqual(
    items.map(({ label, num_classes: n }) => [label, n]),
    [
      ['LABEL_0', 1],
      ['LABEL_0', 1],
    ],
  );
  const probability = items[0]?.probs[0] ?? 0;
  assert.ok(probability > 0 && probability < 1 && probability !== items[1]?.probs[0]);
  const again = await post(`${scorer}/pooling`, { input: 'Good', task: 'classify' });
  assert.deepEqual((again.body['data'] as readonly Json[])[0]?.['data'], items[0]?.probs);
});

test('a classifier names its classes, and scores no pairs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'classifier-'));
  t.after(() => rm(folder, { recursive: true }));
  const config = {
    ...{ architectures: ['BertForSequenceClassification'], model_type: 'bert', hidden_size: 128 },
    ...{ num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 512, vocab_size: 30_522 },
    ...{ max_position_embeddings: 512, id2label: { 0: 'negative', 1: 'neutral', 2: 'positive' } },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const url = await serve(t, { model: folder });
  const { body } = await post(`${url}/classify`, { input: 'What a day' });
  const [item] = body['data'] as readonly { label: string; probs: number[] }[];
  const probs = item?.probs ?? [];
  assert.equal(probs.length, 3);
  assert.ok(Math.abs(probs.reduce((sum, one) => sum + one, 0) - 1) < 1e-6);
  assert.equal(item?.label, ['negative', 'neutral', 'positive'][probs.indexOf(Math.max(...probs))]);
  assert.equal((await post(`${url}/score`, { text_1: 'a', text_2: 'b' })).status, 404);
});

test('prompts of encoders have the special tokens of their tokenizers', async (t) => {
  const counted = async (model: string, path: string, body: object): Promise<number> => {
    const url = await serve(t, { model });
    const answer = await post(`${url}${path}`, body);
    return (answer.body['usage'] as { prompt_tokens: number }).prompt_tokens;
  };
  const plain = { input: 'Hello', add_special_tokens: false };
  for (const model of ['BAAI/bge-m3', 'BAAI/bge-small-en-v1.5']) {
    const without = await counted(model, '/v1/embeddings', plain);
    assert.equal(await counted(model, '/v1/embeddings', { input: 'Hello' }), without + 2, model);
  }
  // [CLS] a [SEP] b [SEP], and <s> a </s></s> b </s>.
  const pair = { text_1: 'Hello', text_2: 'Hello' };
  assert.equal(await counted('cross-encoder/ms-marco-MiniLM-L-6-v2', '/score', pair), 5);
  assert.equal(await counted('BAAI/bge-reranker-v2-m3', '/score', pair), 6);
  const url = await serve(t, { model: 'BAAI/bge-small-en-v1.5' });
  const { body } = await post(`${url}/tokenize`, { prompt: 'Hello' });
  assert.deepEqual(
    [(body['tokens'] as number[]).at(0), (body['tokens'] as number[]).at(-1)],
    [101, 102],
  );
  const cut = { input: 'one two three four', truncate_prompt_tokens: 3 };
  assert.equal(await counted('BAAI/bge-m3', '/v1/embeddings', cut), 3);
});
