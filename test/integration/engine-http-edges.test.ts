// The engine's HTTP edge, byte by byte, as a real vLLM 0.32.0 answered the same requests.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { record, type WireAnswer } from '../support/wire-record.ts';

const server = await createEngineServer({
  port: 0,
  model: 'tiny',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
});
after(() => server.close());

const version = '{"version":"0.32.0"}';
const notFound = '{"detail":"Not Found"}';
const invalid = 'Invalid HTTP request received.';

/** Request line and headers (Host and Connection are added), status, body. */
const heads: readonly (readonly [line: string, status: number, body: string])[] = [
  ['GET // HTTP/1.1', 404, notFound],
  ['GET //version HTTP/1.1', 404, notFound],
  ['GET /v1/../version HTTP/1.1', 404, notFound],
  ['GET /VERSION HTTP/1.1', 404, notFound],
  ['GET /%zz HTTP/1.1', 404, notFound],
  ['GET /%ff HTTP/1.1', 404, notFound],
  ['OPTIONS * HTTP/1.1', 404, notFound],
  ['GET /%76ersion HTTP/1.1', 200, version],
  ['GET /version?x=1&y HTTP/1.1', 200, version],
  ['GET http://elsewhere/version HTTP/1.1', 200, version],
  ['GET /version HTTP/1.1\r\nHost: another', 200, version],
  ['GET /version HTTP/1.1\r\nExpect: something', 200, version],
  [`GET /version HTTP/1.1\r\nX-A: ${'a'.repeat(100_000)}`, 200, version],
  ['GET /version HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c', 200, version],
  [`GET /version HTTP/1.1${'\r\nX-A: b'.repeat(3000)}`, 200, version],
  [`GET /${'a'.repeat(10_000)} HTTP/1.1`, 404, notFound],
  [`GET /${'a'.repeat(70_000)} HTTP/1.1`, 400, invalid],
  ['CONNECT elsewhere:80 HTTP/1.1', 400, invalid],
  ['GET /ver sion HTTP/1.1', 400, invalid],
  ['get /version HTTP/1.1', 400, invalid],
  ['GET /version HTTP/1.1\r\nX-A : b', 400, invalid],
  ['GET /version HTTP/1.1\r\nX(A: b', 400, invalid],
];

test('each form of a request line and head is taken or refused as by vLLM', async () => {
  for (const [head, status, body] of heads) {
    const answer = await send(head);
    const label = head.slice(0, 80);
    assert.deepEqual([answer.status, answer.body], [status, body], label);
  }
});

test('a wrong method gets the one that the path was first registered with', async () => {
  const allowed = async (line: string) => header(await send(`${line} HTTP/1.1`), 'allow');
  assert.equal(await allowed('DELETE /ping'), 'GET');
  assert.equal(await allowed('HEAD /version'), 'GET');
  assert.equal(await allowed('PATCH /v1/chat/completions'), 'POST');
  // vLLM's routes for stored responses come first, and this name fits them.
  assert.equal(await allowed('PUT /v1/responses/render'), 'GET');
});

test('metrics answer to every method, and below their path', async () => {
  for (const line of ['POST /metrics', 'GET /metrics/', 'OPTIONS /metrics/x']) {
    const answer = await send(`${line} HTTP/1.1`);
    assert.equal(answer.status, 200, line);
    assert.match(answer.body ?? '', /^# HELP vllm:/m, line);
    assert.equal(header(answer, 'content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  }
});

test('metrics can be asked for by name below their path, and only there', async () => {
  const query = '?name%5B%5D=vllm:num_requests_running&name[]=vllm:none';
  const { body = '' } = await send(`GET /metrics/${query} HTTP/1.1`);
  const lines = body.trim().split('\n');
  assert.equal(lines.length, 3, body);
  assert.match(lines[2] ?? '', /^vllm:num_requests_running\{/);
  const whole = await send(`GET /metrics${query} HTTP/1.1`);
  assert.match(whole.body ?? '', /^vllm:e2e_request_latency_seconds_count/m);
});

test('a path with a slash too many is sent to the one without, with its query', async () => {
  const answer = await send('GET /v1/models/?a=b HTTP/1.1\r\nX-Forwarded-Proto: https');
  assert.equal(answer.status, 307);
  assert.equal(header(answer, 'location'), `https://${new URL(server.url).host}/v1/models?a=b`);
});

test('a web socket is refused: a text model speaks none', async () => {
  const answer = await send(
    'GET /v1/realtime HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  );
  assert.equal(answer.status, 403);
});

test('a preflight with an unknown method is refused for both reasons', async () => {
  const head =
    'OPTIONS /version HTTP/1.1\r\nOrigin: http://a\r\nAccess-Control-Request-Method: FOO';
  const answer = await send(head);
  assert.deepEqual([answer.status, answer.body], [400, 'Disallowed CORS origin, method']);
});

test('bytes after a final request do not change its response', async () => {
  const { host } = new URL(server.url);
  const raw = `GET /version HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\nmore`;
  const answer = await record({ id: 'more', method: 'GET', path: '', raw }, server.url);
  assert.deepEqual([answer.status, answer.body], [200, version]);
});

function send(head: string): Promise<WireAnswer> {
  const { host } = new URL(server.url);
  const method = head.split(' ')[0] ?? '';
  const raw = `${head}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  return record({ id: head.slice(0, 40), method, path: '', raw }, server.url);
}

function header({ headers = [] }: WireAnswer, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1];
}
