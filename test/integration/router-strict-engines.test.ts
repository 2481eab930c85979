// Engines that are not vLLM refuse requests with members that they do not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, respond, type Script } from '../support/scripted-engine.ts';

const events = [
  'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
  'data: [DONE]\n\n',
].join('');
const refusal = JSON.stringify({
  error: { message: 'Unrecognized request argument supplied: return_token_ids', code: null },
});

/** An engine that refuses what OpenAI's API does not have. @param status That of FastAPI's own validation is 422. */
function strict(owner: string, status = 400): Script {
  return {
    owner,
    onRequest: ({ socket, body }) => {
      if (body.includes('return_token_ids')) respond(socket, status, refusal);
      else socket.write(eventStreamHead + chunk(events) + chunk(''));
    },
  };
}

const stream = { model: 'm', messages: [], stream: true };
const askedFor = (bodies: readonly { readonly body: string }[]) =>
  bodies.map(({ body }) => body.includes('return_token_ids'));

test('an engine that is not vLLM is not asked for token ids', async (context) => {
  const { router, engines } = await stack(context, [strict('someone'), strict('someone')]);
  for (let i = 0; i < 2; i++) {
    const response = await post(router, stream);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), events);
  }
  assert.deepEqual(
    engines.flatMap(({ received }) => askedFor(received)),
    [false, false],
  );
});

test('vLLM is known by its models or by its metrics', async (context) => {
  const metrics = () => 'vllm:num_requests_running{engine="0"} 0\n';
  const serves: Script['onRequest'] = ({ socket }) =>
    void socket.write(eventStreamHead + chunk(events) + chunk(''));
  const { router, engines } = await stack(context, [
    { owner: 'vllm', onRequest: serves },
    { owner: 'someone', metrics, onRequest: serves },
  ]);
  for (let i = 0; i < 2; i++) assert.equal(await (await post(router, stream)).text(), events);
  assert.deepEqual(
    engines.map(({ received }) => askedFor(received)),
    [[true], [true]],
  );
});

test('a server that lists models as vLLM does and refuses is asked once', async (context) => {
  const { router, engines } = await stack(context, [strict('vllm'), strict('vllm', 422)], {
    pickHeader: true,
  });
  for (let i = 0; i < 4; i++) {
    const response = await post(router, stream);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), events);
  }
  for (const { received } of engines) assert.deepEqual(askedFor(received), [true, false, false]);
  const metrics = await (await fetch(`${router.url}/metrics`)).text();
  assert.doesNotMatch(metrics, /vllm:request_errors_total\{/);
});

test('a refusal for another reason is the client’s, whole or in chunks, and so is a long one', async (context) => {
  const text = JSON.stringify({ error: { message: 'too long '.repeat(20) } });
  const long = 'x'.repeat(100_000);
  const head = 'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n';
  const answers = [
    `${head}Content-Length: ${text.length}\r\n\r\n${text}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(text.slice(0, 9))}${chunk(text.slice(9))}${chunk('')}`,
    `${head}Content-Length: ${long.length}\r\n\r\n${long}`,
  ];
  let next = 0;
  const script: Script = {
    owner: 'vllm',
    onRequest: ({ socket }) => void socket.write(answers[next++] as string),
  };
  const { router, engines } = await stack(context, [script, { models: ['other'] }]);
  for (const expected of [text, text, long]) {
    const response = await post(router, stream);
    assert.equal(response.status, 400);
    assert.equal(await response.text(), expected);
  }
  assert.deepEqual(askedFor(engines[0]?.received ?? []), [true, true, true]);
});
