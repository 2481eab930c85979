// Room for sequences in the process of an embedded engine: given back however a request ends.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { sequenceRoom } from '../../src/apps/engine/sequences/sequence-room.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { until } from '../support/until.ts';

const server = await createEngineServer({
  ...{ port: 0, model: 'tiny', tokenizer: await loadTokenizer() },
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000, maxNumSeqs: 4 }),
  responsesStore: true,
  cost: { stepSeconds: () => 0.01 },
});
after(() => server.close());

const post = (path: string, body: object, signal?: AbortSignal) =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
const isEmpty = () => sequenceRoom.held === 0;

test('room is given back when a response is complete', async () => {
  const answer = await post('/v1/completions', { prompt: ['a', 'b'], n: 10, max_tokens: 2 });
  assert.equal(((await answer.json()) as { choices: unknown[] }).choices.length, 20);
  await until(isEmpty);
  await (await post('/v1/completions', { prompt: 'a', n: 3, max_tokens: 0 })).text();
  await (await post('/v1/completions', { prompt: 'a', n: 3, max_tokens: 3, stream: true })).text();
  await until(isEmpty);
});

test('room is given back when the client leaves, waiting or running', async () => {
  const leaving = new AbortController();
  const fields = { prompt: 'a', n: 100, max_tokens: 4000, ignore_eos: true };
  const answers = [
    post('/v1/completions', fields, leaving.signal),
    post('/v1/completions', { ...fields, stream: true }, leaving.signal),
  ];
  await until(() => sequenceRoom.held === 200);
  leaving.abort();
  await Promise.allSettled(answers);
  await until(isEmpty);
});

test('a request without room is refused with an error that says so, and takes none', async () => {
  const giveBack = sequenceRoom.take(229_376 - 5);
  const answer = await post('/v1/completions', { prompt: 'a', n: 6, max_tokens: 1, stream: true });
  assert.equal(answer.status, 503);
  const { error } = (await answer.json()) as { error: { message: string; code: number } };
  assert.match(error.message, /asks for 6 responses, .* 229376, of which 229371 are taken/);
  assert.equal(error.code, 503);
  assert.equal((await post('/v1/completions', { prompt: 'a', n: 5, max_tokens: 1 })).status, 200);
  giveBack();
  await until(isEmpty);
});

test('room is given back when the engine ends a response, also in the background', async () => {
  const fields = { model: 'tiny', input: 'a', max_output_tokens: 20 };
  const background = await post('/v1/responses', { ...fields, background: true });
  assert.equal(background.status, 200, await background.text());
  assert.equal(sequenceRoom.held, 1, 'its client has its response, the engine its sequence');
  await until(isEmpty);
});
