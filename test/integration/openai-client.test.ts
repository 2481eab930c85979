// The real openai client against the router over embedded engines, as an application would use it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { eventually, type Fleet, metric, startFleet } from '../support/fleet.ts';

const model = 'Qwen/Qwen3-8B';
const messages = [{ role: 'user' as const, content: 'Tell me of the sea.' }];

async function start(t: TestContext, options: Partial<Parameters<typeof startFleet>[1]> = {}) {
  const fleet = await startFleet(t, { engines: 2, policy: 'roundrobin', model, ...options });
  const client = new OpenAI({ baseURL: fleet.url, apiKey: 'any', maxRetries: 0 });
  return { fleet, client };
}

const inflight = async (fleet: Fleet) =>
  (await fleet.states()).reduce((total, { load }) => total + load.inflight, 0);

test('a chat answers with text, usage, and the engine that gave it', async (t) => {
  const { fleet, client } = await start(t);
  const { data, response } = await client.chat.completions
    .create({ model, messages, max_tokens: 12 })
    .withResponse();
  assert.equal(data.model, model);
  assert.ok((data.choices[0]?.message.content ?? '').length > 10);
  assert.equal(data.choices[0]?.finish_reason, 'length');
  assert.equal(data.usage?.completion_tokens, 12);
  const engine = response.headers.get('x-spillway-engine') ?? '';
  assert.ok(fleet.engines.some(({ url }) => url === engine));
  assert.ok(response.headers.get('x-request-id'));
});

test('a second request with the same prompt finds it cached, where it goes to the same engine', async (t) => {
  const { client } = await start(t, { policy: 'prefixaware' });
  const long = [{ role: 'user' as const, content: 'the sea and the wind '.repeat(100) }];
  const cached = async () => {
    const { usage } = await client.chat.completions.create({
      model,
      messages: long,
      max_tokens: 1,
    });
    return usage?.prompt_tokens_details?.cached_tokens ?? 0;
  };
  assert.equal(await cached(), 0);
  assert.ok((await cached()) > 400);
});

test('a stream is the whole answer token by token, with usage at its end', async (t) => {
  const { client } = await start(t);
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 30 });
  const stream = await client.chat.completions.create({
    ...{ model, messages, max_tokens: 30, stream: true },
    stream_options: { include_usage: true },
  });
  const parts: string[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    const content = chunk.choices[0]?.delta.content;
    if (content) parts.push(content);
    usage = chunk.usage ?? usage;
  }
  assert.equal(parts.join(''), whole.choices[0]?.message.content);
  assert.equal(parts.length, 30);
  assert.equal(usage?.completion_tokens, 30);
});

test('aborting a stream ends the request at the router and at its engine', async (t) => {
  const { fleet, client } = await start(t, { stepSeconds: 0.005 });
  const stream = await client.chat.completions.create({
    ...{ model, messages, max_tokens: 4000, stream: true },
  });
  let chunks = 0;
  for await (const _ of stream) {
    if (++chunks === 3) {
      assert.equal(await inflight(fleet), 1);
      stream.controller.abort();
    }
  }
  await eventually(async () => (await inflight(fleet)) === 0, 'nothing is in flight');
  for (const engine of fleet.engines) {
    const holds = async () =>
      (await metric(engine, 'vllm:num_requests_running')) +
      (await metric(engine, 'vllm:kv_cache_usage_perc'));
    await eventually(async () => (await holds()) === 0, 'the engine holds no block');
  }
});

const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: 'integer' } },
        required: ['city', 'days'],
        additionalProperties: false,
      },
    },
  },
];
const withTools = { enableAutoToolChoice: true, toolCallParser: 'hermes' };

test('a required tool call comes back as one, with arguments that fit its schema', async (t) => {
  const { client } = await start(t, { engine: withTools });
  const request = { model, messages, tools, tool_choice: 'required' as const, max_tokens: 400 };
  const whole = (await client.chat.completions.create(request)).choices[0];
  const streamed = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0];
  for (const choice of [whole, streamed]) {
    assert.equal(choice?.finish_reason, 'tool_calls');
    const call = choice.message.tool_calls?.[0];
    assert.equal(call?.type, 'function');
    assert.equal(call.function.name, 'get_weather');
    const { city, days } = JSON.parse(call.function.arguments);
    assert.equal(typeof city, 'string');
    assert.ok(Number.isInteger(days));
  }
});

test('the models of the fleet are listed once', async (t) => {
  const { client } = await start(t);
  const models = await client.models.list();
  assert.deepEqual(
    models.data.map(({ id, owned_by }) => [id, owned_by]),
    [[model, 'vllm']],
  );
});

test('errors come as the errors of the client library', async (t) => {
  const { client } = await start(t);
  await assert.rejects(
    client.chat.completions.create({ model: 'nope', messages }),
    (error) => error instanceof OpenAI.NotFoundError && /nope/.test(error.message),
  );
  await assert.rejects(
    client.chat.completions.create({ model, messages, temperature: -1 }),
    (error) => error instanceof OpenAI.BadRequestError && /temperature/.test(error.message),
  );
  await assert.rejects(
    client.chat.completions.create({ model, messages: 'hello' as never }),
    OpenAI.BadRequestError,
  );
  await assert.rejects(
    client.embeddings.create({ model, input: 'x' }),
    (error) =>
      error instanceof OpenAI.APIError && (error.status ?? 0) >= 400 && error.status !== 500,
  );
});

test('a dead engine in the fleet is not seen by clients', async (t) => {
  const { fleet, client } = await start(t, { engines: 3 });
  await fleet.engines[1]?.close();
  const answers = await Promise.all(
    Array.from({ length: 12 }, () =>
      client.chat.completions.create({ model, messages, max_tokens: 2 }),
    ),
  );
  assert.ok(answers.every(({ usage }) => usage?.completion_tokens === 2));
  const states = (await fleet.states()).map(({ state }) => state);
  assert.deepEqual(states.toSorted(), ['dead', 'live', 'live']);
});

test('an engine that dies in the middle of a stream is not seen by clients', async (t) => {
  const { fleet, client } = await start(t, { stepSeconds: 0.005 });
  const stream = (max_tokens: number) =>
    client.chat.completions.create({ model, messages, max_tokens, stream: true }).withResponse();
  // The first takes more than a second: it cannot end by itself before its engine dies.
  const both = [await stream(1000), await stream(60)];
  const victim = both[0]?.response.headers.get('x-spillway-engine');
  const read = async ({ data }: Awaited<ReturnType<typeof stream>>) => {
    let chunks = 0;
    let text = '';
    for await (const { choices } of data) {
      text += choices[0]?.delta.content ?? '';
      if (++chunks === 5 && data === both[0]?.data) {
        void fleet.engines.find(({ url }) => url === victim)?.close();
      }
    }
    return text;
  };
  const [moved] = await Promise.all(both.map(read));
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 1000 });
  assert.equal(moved, whole.choices[0]?.message.content);
  await eventually(async () => (await inflight(fleet)) === 0, 'nothing is in flight');
  const after = await client.chat.completions.create({ model, messages, max_tokens: 2 });
  assert.equal(after.usage?.completion_tokens, 2);
});
