// Responses that are kept: fetched, continued, made in the background, cancelled and forgotten. The
// recorded requests of a real vLLM with VLLM_ENABLE_RESPONSES_API_STORE=1 are among the probes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { runWireCases } from '../support/wire-run.ts';

const tokenizer = await loadTokenizer();

test('a stored response has the form of the recorded ones', async () => {
  const results = await runWireCases('store', { cases: 'probes', recording: 'probes-0.32.0' });
  assert.ok(results.length >= 18);
  assert.deepEqual(
    results.flatMap(({ one, difference }) => (difference ? [`${one.id}: ${difference}`] : [])),
    [],
  );
});

test('a conversation continues from a stored response, without its instructions', async (t) => {
  const { post } = await start(t);
  const first = await post('/v1/responses', {
    ...{ input: 'One', instructions: 'Be brief.', max_output_tokens: 4, ignore_eos: true },
  });
  const id = String(first.body['id']);
  const said = texts(first.body);
  const kept = await post('/v1/responses', {
    ...{ input: 'Two', previous_response_id: id, max_output_tokens: 4, ignore_eos: true },
  });
  const whole = await post('/v1/responses', {
    ...{ max_output_tokens: 4, ignore_eos: true },
    input: [
      { role: 'user', content: 'One' },
      { role: 'assistant', content: said },
      { role: 'user', content: 'Two' },
    ],
  });
  const inputTokens = ({ body }: Answered) =>
    (body['usage'] as { input_tokens: number }).input_tokens;
  assert.equal(inputTokens(kept), inputTokens(whole));
});

test('a background response is queued, then completes although its client has disconnected', async (t) => {
  const { post, get } = await start(t);
  const asked = { input: 'Hi', background: true, max_output_tokens: 5, ignore_eos: true };
  const { body } = await post('/v1/responses', asked);
  assert.equal(body['status'], 'queued');
  const done = await until(async () => {
    const answer = await get(`/v1/responses/${body['id']}`);
    return answer.body['status'] === 'incomplete' ? answer : undefined;
  });
  assert.equal((done.body['usage'] as { output_tokens: number }).output_tokens, 5);
});

test('a background stream can be read again from any event, also while it grows', async (t) => {
  const { url } = await start(t);
  const first = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ input: 'Hi', background: true, stream: true, request_id: 'resp_s' },
      ...{ max_output_tokens: 30, ignore_eos: true },
    }),
  });
  const second = fetch(`${url}/v1/responses/resp_s?stream=true`);
  const whole = events(await first.text());
  assert.deepEqual(events(await (await second).text()), whole);
  const rest = await fetch(`${url}/v1/responses/resp_s?stream=true&starting_after=3`);
  assert.deepEqual(events(await rest.text()), whole.slice(4));
  assert.match(whole.at(-1) ?? '', /response\.completed/);
});

test('cancelling frees the engine and ends those who read along', async (t) => {
  const { url, post, get } = await start(t, { stepSeconds: 0.01 });
  const response = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ input: 'Hi', background: true, stream: true, request_id: 'resp_c' },
      ...{ max_output_tokens: 3000, ignore_eos: true },
    }),
  });
  const read = response.text();
  const cancelled = await post('/v1/responses/resp_c/cancel', {});
  assert.equal(cancelled.body['status'], 'cancelled');
  assert.doesNotMatch(await read, /response\.completed/);
  assert.equal((await get('/v1/responses/resp_c')).body['status'], 'cancelled');
  assert.equal((await post('/v1/responses/resp_c/cancel', {})).status, 400);
  await until(async () => {
    const page = await (await fetch(`${url}/metrics`)).text();
    return /num_requests_running\{[^}]*\} 0/.test(page) ? true : undefined;
  });
});

test('without the store nothing is found, and the background is refused', async (t) => {
  const { post, get } = await start(t, { responsesStore: false });
  const { body } = await post('/v1/responses', { input: 'Hi', max_output_tokens: 2 });
  assert.equal((await get(`/v1/responses/${body['id']}`)).status, 404);
  assert.equal((await post('/v1/responses', { input: 'Hi', background: true })).status, 400);
});

interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function start(
  t: TestContext,
  {
    responsesStore = true,
    stepSeconds = 0.001,
  }: { responsesStore?: boolean; stepSeconds?: number } = {},
) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer, responsesStore },
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    cost: { stepSeconds: () => stepSeconds },
  });
  t.after(() => server.close());
  const send = async (path: string, init?: RequestInit): Promise<Answered> => {
    const response = await fetch(`${server.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as Answered['body'] };
  };
  return {
    url: server.url,
    get: (path: string) => send(path),
    post: (path: string, body: object) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}

function texts(body: Answered['body']): string {
  const items = body['output'] as { content: { text: string }[] }[];
  return items.flatMap(({ content }) => content.map(({ text }) => text)).join('');
}

function events(stream: string): string[] {
  return stream.split('\n\n').filter((event) => event !== '');
}

/** Asks again, for at most 10 seconds. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const endMs = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    assert.ok(Date.now() < endMs, 'not within 10 s');
    await delay(10);
  }
}
