// Drives the embedded engine over real sockets with the openai client.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const server = await createEngineServer({
  port: 0,
  model: 'tiny',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
});
after(() => server.close());
const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Say hello to the reader.' }] as const;

test('a chat completion has exactly the tokens that were asked for', async () => {
  const answer = await client.chat.completions.create({
    model: 'tiny',
    messages: [...messages],
    max_tokens: 8,
  });
  assert.equal(answer.usage?.prompt_tokens, 14);
  assert.equal(answer.usage?.completion_tokens, 8);
  assert.equal(answer.choices[0]?.finish_reason, 'length');
  assert.match(answer.choices[0]?.message.content ?? '', /^[A-Z][a-z]+[ ,]/);
});

test('a streamed chat is the same text, token by token', async () => {
  const whole = await client.chat.completions.create({
    model: 'tiny',
    messages: [...messages],
    max_tokens: 20,
  });
  const stream = await client.chat.completions.create({
    model: 'tiny',
    messages: [...messages],
    max_tokens: 20,
    stream: true,
    stream_options: { include_usage: true },
  });
  const parts: string[] = [];
  let completionTokens = 0;
  for await (const chunk of stream) {
    const content = chunk.choices[0]?.delta.content;
    if (content) parts.push(content);
    completionTokens = chunk.usage?.completion_tokens ?? completionTokens;
  }
  assert.equal(parts.length, 20);
  assert.equal(parts.join(''), whole.choices[0]?.message.content);
  assert.equal(completionTokens, 20);
});

test('an unknown model is a 404 in the words of vLLM', async () => {
  await assert.rejects(
    client.chat.completions.create({ model: 'nope', messages: [...messages] }),
    (error) =>
      error instanceof OpenAI.NotFoundError &&
      error.message.includes('The model `nope` does not exist. Valid aliases: tiny.'),
  );
});

test('every answer says in its headers that it is emulated, and by which Spillway', async () => {
  for (const path of ['/version', '/health', '/v1/models', '/nope']) {
    const answer = await fetch(`${server.url}${path}`);
    assert.equal(answer.headers.get('x-spillway-emulated'), 'true', path);
    assert.match(answer.headers.get('x-spillway-version') ?? '', /^\d+\.\d+\.\d+/, path);
    await answer.arrayBuffer();
  }
});

test('the version is the emulated one, in the very bytes of vLLM', async () => {
  const answer = await fetch(`${server.url}/version`);
  assert.equal(await answer.text(), '{"version":"0.32.0"}');
});
