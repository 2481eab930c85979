// Bodies of the embedded engine: requests that are too long or break off, and streams in haste.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const server = await createEngineServer({
  port: 0,
  model: 'tiny',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.01 },
  timeScale: Number.POSITIVE_INFINITY,
});
after(() => server.close());
const port = Number(new URL(server.url).port);

test('a body of more than 64 MiB is refused with 413', async () => {
  const sent = request({
    ...{ port, method: 'POST', path: '/v1/completions', agent: false },
    headers: { 'content-type': 'application/json' },
  });
  const answered = once(sent, 'response');
  const part = Buffer.alloc(1024 * 1024, ' ');
  for (let i = 0; i < 65; i++) if (!sent.write(part)) await once(sent, 'drain');
  sent.end();
  const [response] = await answered;
  assert.equal(response.statusCode, 413);
});

test('a client that disconnects within its body does not affect other requests', async () => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"prompt"',
  );
  await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
});

test('a stream generated in one turn has an event per token and the text of the non-streamed response', async () => {
  const fields = { prompt: 'The sea', max_tokens: 300, ignore_eos: true };
  const plain = (await (await complete(fields)).json()) as { choices: { text: string }[] };
  const events = (await (await complete({ ...fields, stream: true })).text())
    .split('\n\n')
    .filter((event) => event !== '');
  assert.equal(events.pop(), 'data: [DONE]');
  assert.equal(events.length, 300);
  const texts = events.map((event) => JSON.parse(event.slice('data: '.length)).choices[0].text);
  assert.equal(texts.join(''), plain.choices[0]?.text);
});

function complete(fields: object): Promise<Response> {
  return fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  });
}
