// The embedded engine's routes over real sockets, with the real openai client where there is one.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const server = await createEngineServer({
  devMode: true,
  port: 0,
  model: 'tiny',
  servedModelNames: ['tiny', 'alias'],
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
  timeScale: Number.POSITIVE_INFINITY,
  vocabularySize: 151_936,
  enablePromptTokensDetails: true,
  enableServerLoadTracking: true,
  enableAutoToolChoice: true,
  toolCallParser: 'hermes',
});
after(() => server.close());
const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'user', content: 'Say hello to the reader.' },
];
const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Paris'] } },
      required: ['city'],
    },
  },
};

test('a completion takes text, tokens and lists of either', async () => {
  const usage = async (prompt: string | string[] | number[] | number[][]) => {
    const answer = await client.completions.create({ model: 'alias', prompt, max_tokens: 3, n: 2 });
    assert.equal(answer.model, 'tiny');
    return [answer.choices.length, answer.usage?.prompt_tokens, answer.usage?.completion_tokens];
  };
  assert.deepEqual(await usage('The quick brown fox'), [2, 4, 6]);
  assert.deepEqual(await usage([9707, 11]), [2, 2, 6]);
  assert.deepEqual(await usage(['One', 'Two words']), [4, 3, 12]);
  assert.deepEqual(await usage([[9707, 11], [1879]]), [4, 3, 12]);
});

test('echo, logprobs and token ids of a completion agree with its text', async () => {
  const answer = await client.completions.create({
    ...{ model: 'tiny', prompt: 'The quick brown fox', max_tokens: 4, echo: true, logprobs: 1 },
    ...({ return_token_ids: true } as object),
  });
  const choice = answer.choices[0] as OpenAI.CompletionChoice & { token_ids: number[] };
  assert.match(choice.text, /^The quick brown fox/);
  assert.equal(choice.logprobs?.tokens?.join(''), choice.text);
  assert.equal(choice.logprobs?.token_logprobs?.[0], null);
  assert.equal(choice.token_ids.length, 4);
  const { prompt } = await post('/detokenize', { tokens: choice.token_ids });
  assert.equal(`The quick brown fox${prompt}`, choice.text);
});

test('a streamed completion carries usage on request', async () => {
  const stream = await client.completions.create({
    ...{ model: 'tiny', prompt: 'Once', max_tokens: 6, stream: true },
    stream_options: { include_usage: true },
  });
  const parts: string[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    if (chunk.choices[0]) parts.push(chunk.choices[0].text);
    usage = chunk.usage ?? usage;
  }
  assert.equal(parts.length, 6);
  assert.equal(usage?.completion_tokens, 6);
});

test('a response ends before a stop string, and before a stop token', async () => {
  const whole = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 30 });
  const text = whole.choices[0]?.message.content ?? '';
  const stop = text.slice(20, 26);
  const cut = await client.chat.completions.create({
    model: 'tiny',
    messages,
    max_tokens: 30,
    stop,
  });
  assert.equal(cut.choices[0]?.message.content, text.slice(0, text.indexOf(stop)));
  assert.equal(cut.choices[0]?.finish_reason, 'stop');
  assert.equal((cut.choices[0] as unknown as { stop_reason: string }).stop_reason, stop);
  const { choices, usage } = await post('/v1/chat/completions', {
    ...{
      messages,
      max_tokens: 8,
      min_tokens: 4,
      allowed_token_ids: [9707],
      stop_token_ids: [9707],
    },
  });
  assert.deepEqual([choices[0].stop_reason, usage.completion_tokens], [9707, 4]);
});

test('without a limit a response ends by itself', async () => {
  const answer = await client.chat.completions.create({ model: 'tiny', messages });
  assert.equal(answer.choices[0]?.finish_reason, 'stop');
  assert.match(answer.choices[0]?.message.content ?? '', /\.$/);
});

test('a second turn finds the first in the prefix cache', async () => {
  const first = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 64 });
  const reply = first.choices[0]?.message.content ?? '';
  const second = await client.chat.completions.create({
    model: 'tiny',
    messages: [
      ...messages,
      { role: 'assistant', content: reply },
      { role: 'user', content: 'Go on.' },
    ],
    max_tokens: 1,
  });
  // 14 prompt tokens and 64 of the answer: four whole blocks of 16 were computed and kept.
  assert.equal(second.usage?.prompt_tokens_details?.cached_tokens, 64);
});

test('a required tool call validates, streamed and not', async () => {
  const body = { model: 'tiny', messages, tools: [weather], tool_choice: 'required' as const };
  const whole = await client.chat.completions.create(body);
  const call = whole.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === 'function');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
  assert.match(call.id, /^chatcmpl-tool-[0-9a-f]{16}$/);
  assert.equal(whole.choices[0]?.finish_reason, 'tool_calls');

  const runner = client.chat.completions.stream(body);
  const final = await runner.finalChatCompletion();
  const streamed = final.choices[0]?.message.tool_calls?.[0];
  assert.ok(streamed?.type === 'function');
  assert.equal(streamed.function.arguments, call.function.arguments);
});

test('under auto some turns are calls that validate, the same ones each time', async () => {
  const ask = (text: string) =>
    client.chat.completions.create({
      ...{ model: 'tiny', tools: [weather], max_tokens: 400 },
      messages: [{ role: 'user', content: text }],
    });
  const texts = Array.from({ length: 12 }, (_, i) => `What is the weather on day ${i}?`);
  const reasons: string[] = [];
  for (const text of texts) {
    const [answer, again] = [await ask(text), await ask(text)];
    const choice = answer.choices[0];
    assert.equal(choice?.finish_reason, again.choices[0]?.finish_reason);
    reasons.push(choice?.finish_reason ?? '');
    if (choice?.finish_reason !== 'tool_calls') continue;
    assert.equal(choice.message.content, null);
    const call = choice.message.tool_calls?.[0];
    assert.ok(call?.type === 'function');
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
  }
  assert.ok(reasons.includes('tool_calls') && reasons.some((reason) => reason !== 'tool_calls'));
});

test('JSON by a schema is JSON by that schema', async () => {
  const answer = await client.chat.completions.create({
    model: 'tiny',
    messages,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'weather', schema: weather.function.parameters },
    },
  });
  assert.deepEqual(JSON.parse(answer.choices[0]?.message.content ?? ''), { city: 'Paris' });
});

test('a strong logit_bias decides which token comes, the end token too', async () => {
  const chat = (logit_bias: Record<string, number>) =>
    client.chat.completions.create({ model: 'tiny', messages, max_tokens: 3, logit_bias });
  const hello = await chat({ 9707: 100 });
  assert.equal(hello.choices[0]?.message.content, 'HelloHelloHello');
  const ended = await chat({ 151645: 100 });
  assert.equal(ended.choices[0]?.finish_reason, 'stop');
  assert.equal(ended.usage?.completion_tokens, 1);
});

test('n streamed choices are different texts', async () => {
  const stream = await client.chat.completions.create({
    ...{ model: 'tiny', messages, n: 3, max_tokens: 10, stream: true },
  });
  const texts = ['', '', ''];
  for await (const { choices } of stream) {
    for (const { index, delta } of choices) texts[index] += delta.content ?? '';
  }
  assert.equal(new Set(texts).size, 3);
});

test('stream_interval joins tokens, the first one and the last come at once', async () => {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages, max_tokens: 9, stream: true, stream_interval: 4 }),
  });
  const events = (await response.text())
    .split('\n\n')
    .filter((event) => event.includes('"content":"'));
  // The role's chunk, then 1, 4 and 4 tokens.
  assert.equal(events.length, 4);
});

test('--stream-interval is the interval of requests that do not say', async (t) => {
  const joined = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer: await loadTokenizer(), vocabularySize: 151_936 },
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    ...{ cost: { stepSeconds: () => 0.001 }, timeScale: Number.POSITIVE_INFINITY },
    streamInterval: 4,
  });
  t.after(() => joined.close());
  const contents = async (fields: object) => {
    const response = await fetch(`${joined.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages, max_tokens: 9, stream: true, ...fields }),
    });
    return (await response.text()).split('"content":"').length - 1;
  };
  assert.equal(await contents({}), 4);
  assert.equal(await contents({ stream_interval: 1 }), 10);
});

test('tokens of text and of a chat are those of the model', async () => {
  assert.deepEqual(await post('/tokenize', { prompt: 'Hello, world! 你好 🙂' }), {
    count: 7,
    max_model_len: 4096,
    tokens: [9707, 11, 1879, 0, 220, 108386, 27484],
    token_strs: null,
  });
  const { tokens } = await post('/tokenize', { messages });
  assert.equal(tokens.length, 14);
});

test('errors have the status, object and message of vLLM', async () => {
  const refusals: [object, number, RegExp][] = [
    [
      { messages, model: 'nope' },
      404,
      /The model `nope` does not exist\. Valid aliases: tiny, alias\./,
    ],
    [{ messages, max_tokens: 0 }, 400, /max_tokens must be at least 1, got 0\./],
    [{ messages: [] }, 400, /Cannot apply chat template to an empty conversation/],
    [
      { messages: [{ role: 'user', content: 'hello '.repeat(5000) }] },
      400,
      /at least 4097 input tokens/,
    ],
    [
      { messages, stream_options: 5, stream: true },
      400,
      /1 validation error:\n {2}\{'type': 'model_attributes_type'/,
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
      400,
      /tiny is not a multimodal model/,
    ],
  ];
  for (const [body, status, message] of refusals) {
    const response = await request('/v1/chat/completions', body);
    assert.equal(response.status, status);
    const { error } = (await response.json()) as { error: { message: string; code: number } };
    assert.match(error.message, message);
    assert.equal(error.code, status);
  }
  const broken = await fetch(`${server.url}/v1/completions`, { method: 'POST', body: '{}' });
  assert.match(await broken.text(), /Unsupported Media Type: Only 'application\/json' is allowed/);
});

test('unknown routes and methods get the responses of FastAPI', async () => {
  const unknown = await fetch(`${server.url}/v1/nope`);
  assert.deepEqual([unknown.status, await unknown.json()], [404, { detail: 'Not Found' }]);
  const method = await fetch(`${server.url}/v1/chat/completions`);
  assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST']);
  const slash = await fetch(`${server.url}/v1/models/`, { redirect: 'manual' });
  assert.equal(slash.status, 307);
});

test('the models, load, sources and health routes answer', async () => {
  const { data } = await client.models.list();
  assert.deepEqual(
    data.map(({ id }) => id),
    ['tiny', 'alias'],
  );
  assert.deepEqual(await get('/load'), { server_load: 0 });
  assert.deepEqual(await get('/kv_event_sources'), {});
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
  assert.deepEqual(await post('/reset_prefix_cache', {}), { success: true });
});

test('the metrics page counts completed requests', async () => {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const value = (name: string) =>
    Number(new RegExp(`^vllm:${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(page)?.[1]);
  assert.ok(value('generation_tokens_total') > 100);
  assert.ok(value('prefix_cache_hits_total') >= 64);
  assert.equal(value('num_requests_running'), 0);
  assert.equal(value('kv_cache_usage_perc'), 0);
});

test('with --api-key, /v1 requires the key and other routes do not', async (t) => {
  const guarded = await createEngineServer({
    port: 0,
    model: 'tiny',
    tokenizer: await loadTokenizer(),
    config: defaultEngineConfig({ maxModelLen: 64, numGpuBlocks: 10 }),
    cost: { stepSeconds: () => 0.001 },
    apiKey: 'key-1',
    enableRequestIdHeaders: true,
  });
  t.after(() => guarded.close());
  const refused = await fetch(`${guarded.url}/v1/models`);
  assert.deepEqual([refused.status, await refused.json()], [401, { error: 'Unauthorized' }]);
  const headers = { authorization: 'Bearer key-1', 'x-request-id': 'mine' };
  const taken = await fetch(`${guarded.url}/v1/models`, { headers });
  assert.deepEqual([taken.status, taken.headers.get('x-request-id')], [200, 'mine']);
  assert.equal((await fetch(`${guarded.url}/metrics`)).status, 200);
});

function request(path: string, body: object): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of many shapes.
async function post(path: string, body: object): Promise<any> {
  return (await request(path, body)).json();
}

async function get(path: string): Promise<unknown> {
  return (await fetch(`${server.url}${path}`)).json();
}
