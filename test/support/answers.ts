// One small request to each API that generates, as a first user sends it: with default settings.
import assert from 'node:assert/strict';

export type Json = Readonly<Record<string, unknown>>;

export async function post(url: string, body: object): Promise<{ status: number; body: Json }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) as Json };
  } catch {
    return { status: response.status, body: { text } };
  }
}

const messages = [{ role: 'user', content: 'What is the weather in Paris?' }];
const tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', enum: ['Paris'] } },
      required: ['city'],
    },
  },
};
/** The lengths of the responses: a first request need not limit them, but a test has no time for a whole context. */
const limit = 8;

/**
 * Requests a chat, a response, a message, a completion and a tool call.
 *
 * @param url Of an engine or a router, without `/v1`.
 */
export async function answersToEach(url: string, model: string): Promise<void> {
  const ask = async (path: string, body: object): Promise<Json> => {
    const { status, body: answer } = await post(`${url}${path}`, { model, ...body });
    assert.equal(status, 200, `${model} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const chat = await ask('/v1/chat/completions', { messages, max_tokens: limit });
  assert.match(choice(chat).message?.content ?? '', /\w/);
  const response = await ask('/v1/responses', { input: 'Hello', max_output_tokens: limit });
  assert.match(JSON.stringify(response['output']), /"text":"[^"]*\w/);
  const message = await ask('/v1/messages', { messages, max_tokens: limit });
  assert.match(JSON.stringify(message['content']), /"text":"[^"]*\w/);
  const completion = await ask('/v1/completions', { prompt: 'Once upon a time' });
  assert.match(choice(completion).text ?? '', /\w/);
  const call = await ask('/v1/chat/completions', {
    ...{ messages, tools: [tool], tool_choice: 'required' },
  });
  const [called] = choice(call).message?.tool_calls ?? [];
  assert.equal(called?.function.name, 'get_weather');
  assert.deepEqual(JSON.parse(called.function.arguments), { city: 'Paris' });
}

interface Choice {
  readonly text?: string;
  readonly message?: {
    readonly content?: string | null;
    readonly tool_calls?: readonly { function: { name: string; arguments: string } }[];
  };
}

function choice(answer: Json): Choice {
  const [first] = answer['choices'] as readonly Choice[];
  assert.ok(first);
  return first;
}

/** Requests vectors, scores and rankings of a model that embeds. */
export async function embedsAndScores(url: string, model: string): Promise<void> {
  const { status, body } = await post(`${url}/v1/embeddings`, { model, input: ['One', 'Two'] });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal((body['data'] as readonly unknown[]).length, 2);
  await scores(url, model);
}

/** Requests scores and rankings under each of their paths. */
export async function scores(url: string, model: string): Promise<void> {
  for (const path of ['/score', '/v1/score']) {
    const pair = { text_1: 'One', text_2: ['Two', 'Three'] };
    const { status, body } = await post(`${url}${path}`, { model, ...pair });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal((body['data'] as readonly unknown[]).length, 2);
  }
  for (const path of ['/rerank', '/v1/rerank', '/v2/rerank']) {
    const question = { query: 'One', documents: ['Two', 'One'] };
    const { status, body } = await post(`${url}${path}`, { model, ...question });
    assert.equal(status, 200, JSON.stringify(body));
    const [first] = body['results'] as readonly Json[];
    assert.equal(first?.['index'], 1);
  }
}
