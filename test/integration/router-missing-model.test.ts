// An engine that no longer has a model which it listed: its adapter was unloaded since its models were read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond } from '../support/scripted-engine.ts';

const missing = JSON.stringify({
  error: { message: 'The model `lora` does not exist.', type: 'NotFoundError', code: 404 },
});
const lacks = ({ socket }: ReceivedRequest) => respond(socket, 404, missing);
const request = { model: 'lora', messages: [] };

test('a request for an adapter that one engine has just unloaded goes to another one that has it', async (t) => {
  let listed = ['m', 'lora'];
  const { router, engines } = await stack(t, [
    { models: () => listed, onRequest: lacks },
    { models: ['m', 'lora'] },
  ]);
  listed = ['m'];
  for (let i = 0; i < 8; i++) {
    const response = await post(router, request);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { ok: true });
  }
  // It is not asked again once its models are read, which its answer causes.
  assert.equal(engines[0]?.received.length, 1);
  const views = (await (await fetch(`${router.url}/engines`)).json()) as { state: string }[];
  assert.deepEqual(
    views.map(({ state }) => state),
    ['live', 'live'],
  );
});

test('a model that no engine has is a plain 404, and so is a response that an engine does not keep', async (t) => {
  const { router, engines } = await stack(t, [
    { models: ['m', 'lora'], onRequest: lacks },
    { models: ['m', 'lora'], onRequest: lacks },
  ]);
  const response = await post(router, request);
  assert.equal(response.status, 404);
  assert.equal(await response.text(), missing);
  const asked = () => engines.reduce((sum, { received }) => sum + received.length, 0);
  assert.equal(asked(), 2);
  const kept = await fetch(`${router.url}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', input: 'a', previous_response_id: 'resp_1' }),
  });
  assert.equal(kept.status, 404);
  // The router has not seen who made it, so each engine was asked for it once, and none got the request.
  assert.equal(asked(), 4);
});
