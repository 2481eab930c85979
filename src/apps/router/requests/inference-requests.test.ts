// What becomes of a client's request before it is routed: its model, its session, its engine, its tokens.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { routerInMemory } from '../../../../test/support/router-in-memory.ts';
import type { RoutingRequest } from '../../../core/routing/index.ts';
import { ResponseEngines } from '../responses/response-engines.ts';
import type { PromptTokens } from '../tokens/prompt-tokens.ts';
import { type ForwardedRoute, InferenceRequests } from './inference-requests.ts';

const chat: ForwardedRoute = {
  ...{
    kind: 'json',
    generates: true,
    promptKind: 'chat',
    isHedged: false,
    isSalted: true,
    movingStream: 'chat',
  },
};
const tokens = { tokens: Uint32Array.of(1, 2, 3), cacheSalt: 'salt' };

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly route?: ForwardedRoute;
}

function begin(
  context: TestContext,
  options: {
    readonly sessionKey?: string;
    /** What the tokens of a prompt are, if the policy needs them. */
    readonly tokens?: ReturnType<PromptTokens['of']>;
    readonly aliases?: ReadonlyMap<string, string>;
  } = {},
) {
  const needsTokens = 'tokens' in options;
  const routed: RoutingRequest[] = [];
  const router = routerInMemory(context, {
    policy: { needsTokens },
    router: { pickHeader: true },
    ...(options.aliases && { aliases: options.aliases }),
  });
  const route = router.core.route.bind(router.core);
  context.mock.method(router.core, 'route', (request: RoutingRequest, tried?: Set<string>) => {
    routed.push(request);
    return route(request, tried);
  });
  const requests = new InferenceRequests(router.proxy, {
    engines: router.engines,
    tokens: { of: () => options.tokens } as unknown as PromptTokens,
    sessionKey: options.sessionKey,
    responseEngines: new ResponseEngines({ nowSeconds: () => 0 }),
  });
  context.after(() => requests.close());
  const send = (body: object | string, { headers = {}, target, route: to = chat }: Sent = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const client = new Client(headers, { body: text, ...(target && { target }) });
    requests.take(client.exchange, to, router.state.nowMs);
    return client;
  };
  return { ...router, requests, routed, send, last: () => routed.at(-1) ?? assert.fail() };
}

test('the policy sees the model, the prompt, the session and the limit of the output', (t) => {
  const { send, last } = begin(t, { sessionKey: 'user' });
  const prompt = 'Hello, hello.';
  send({ model: 'm', prompt, user: 'ann', max_tokens: 7, stream: true });
  const { model, session, promptTokens, outputTokensMax, stream, tokens: known } = last();
  assert.deepEqual([model, session, outputTokensMax, stream], ['m', 'ann', 7, true]);
  assert.equal(promptTokens, Math.ceil((prompt.length + 2) / 4), 'four bytes of JSON per token');
  assert.equal(known, undefined);
});

test('a session is that of the header before that of the body', (t) => {
  const { send, last, requests } = begin(t, { sessionKey: 'X-User' });
  send({ model: 'm', 'X-User': 'body' }, { headers: { 'x-user': 'header' } });
  assert.equal(last().session, 'header');
  send({ model: 'm', 'X-User': 'body' }, { headers: { 'x-user': '' } });
  assert.equal(last().session, 'body');
  requests.setSessionKey('Other');
  send({ model: 'm', Other: 'body', 'X-User': 'x' }, { headers: { 'x-user': 'header' } });
  assert.equal(last().session, 'body');
  requests.setSessionKey(undefined);
  send({ model: 'm', Other: 'body' }, { headers: { other: 'header' } });
  assert.equal(last().session, undefined);
});

test('an engine gets the body as it is, except for an alias', (t) => {
  const { send, flight } = begin(t, { aliases: new Map([['short', 'm']]) });
  const body = (model: string) => `{ "stream":false, "model" : "${model}", "n": 1 }`;
  send(body('m'));
  assert.equal(String(flight(0).request.body), body('m'));
  send(body('short'));
  assert.equal(String(flight(1).request.body), body('m'));
  send(body('\\u006d'));
  assert.equal(String(flight(2).request.body), body('\\u006d'), 'the same model, as it is written');
});

test('a request names its engine with ?id=, by its URL, id or name, which is not forwarded', (t) => {
  const { send, flight, last, value } = begin(t);
  send({ model: 'm' }, { target: '/v1/chat/completions?id=http%3A%2F%2Fb&a=b' });
  assert.equal(last().pinnedUrl, 'http://b');
  assert.match(flight(0).request.head, /^POST \/v1\/chat\/completions\?a=b HTTP/);
  send({ model: 'm' }, { target: '/v1/chat/completions?id=http%3A%2F%2Fc' });
  assert.match(flight(1).request.head, /^POST \/v1\/chat\/completions HTTP/);
  assert.equal(flight(1).url, 'C');
  send({ model: 'm' }, { target: '/v1/chat/completions?a=%20b' });
  assert.equal(last().pinnedUrl, undefined);
  assert.match(flight(2).request.head, /\?a=%20b HTTP/, 'no id, so nothing changes');
  const unknown = send({ model: 'm' }, { target: '/v1/chat/completions?id=nobody' });
  assert.deepEqual([unknown.status, unknown.error['param']], [404, 'id']);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
});

test('a body without a model is refused where the API requires one', (t) => {
  const { send, last, metrics, value } = begin(t);
  const refused = send({ messages: [] });
  assert.deepEqual([refused.status, refused.error['param']], [400, 'model']);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
  send({ prompt: 'x' }, { route: { ...chat, kind: 'json-any' } });
  assert.equal(last().model, undefined);
  assert.equal(metrics.arrived, 2);
});

test('a body that is not JSON is refused with the reason', (t) => {
  const { send, value, logged } = begin(t);
  const refused = send('{"model":');
  assert.equal(refused.status, 400);
  assert.match(String(refused.error['message']), /not valid JSON/);
  assert.equal(value('spillway_router_refused_requests_total{model="unknown"}'), 1);
  assert.equal(logged(), '');
});

test('prompts are tokenized if the policy needs that and has a choice', async (t) => {
  const { send, last, core } = begin(t, { tokens });
  send({ model: 'm', prompt: 'x' });
  assert.deepEqual(
    [last().tokens, last().cacheSalt, last().promptTokens],
    [tokens.tokens, 'salt', 3],
  );
  send({ model: 'm', prompt: 'x' }, { route: { ...chat, promptKind: undefined } });
  assert.equal(last().tokens, undefined, 'a path without a prompt in the KV cache');
  core.setState('http://a', 'dead', 'gone');
  send({ model: 'm', prompt: 'x' });
  assert.equal(last().tokens, tokens.tokens, 'two engines');
  core.setState('http://b', 'dead', 'gone');
  send({ model: 'm', prompt: 'x' });
  assert.equal(last().tokens, undefined, 'one engine');
});

test('a prompt that cannot be tokenized is routed without its tokens', (t) => {
  const { send, last } = begin(t, { tokens: undefined });
  send({ model: 'm', prompt: 'x' });
  assert.equal(last().tokens, undefined);
});

test('a request waits for its tokens, unless its client leaves', async (t) => {
  const known = Promise.resolve(tokens);
  const { send, routed, last } = begin(t, { tokens: known });
  send({ model: 'm', prompt: 'x', max_tokens: 1 });
  const left = send({ model: 'm', prompt: 'x', max_tokens: 2 });
  left.over = true;
  assert.equal(routed.length, 0);
  await known;
  assert.equal(routed.length, 1);
  assert.deepEqual([last().tokens, last().outputTokensMax], [tokens.tokens, 1]);
});

test('a large body is read in another thread, with the same result', async (t) => {
  const { send, last, flights } = begin(t, { aliases: new Map([['short', 'm']]) });
  const prompt = 'x'.repeat(2 * 1_048_576);
  send({ model: 'short', prompt, max_tokens: 5 });
  const broken = send(`{"model":"m","prompt":"${prompt}`);
  while (flights.length === 0 || !broken.begun)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([last().model, last().outputTokensMax], ['short', 5]);
  assert.equal(
    flights[0]?.request.body?.length,
    JSON.stringify({ model: 'm', prompt, max_tokens: 5 }).length,
  );
  assert.equal(broken.status, 400);
  assert.match(String(broken.error['message']), /not valid JSON/);
});

test('a large body that is not read, as its thread ends, is the router’s failure', async (t) => {
  const { send, flights, requests, logged } = begin(t);
  const client = send({ model: 'm', prompt: 'x'.repeat(2 * 1_048_576) });
  requests.close();
  while (!client.begun) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    [client.status, client.error['message']],
    [500, 'The router failed; see its log.'],
  );
  assert.match(logged(), /ERROR: request .*: Error: /);
  assert.equal(flights.length, 0);
});

test('requests count per second as they arrive', (t) => {
  const { send, metrics, state } = begin(t);
  for (let i = 0; i < 3; i++) send({ model: 'm' });
  const now = state.nowMs / 1000;
  const rates = [now, now + 1, now + 12].map((at) => metrics.rate.perSecond(at));
  assert.deepEqual(rates, [0, 3 / 10, 0]);
});

test('token counts in the middle of a stream count only if the client asked for them', (t) => {
  const { send, flight, recent } = begin(t);
  const usage = 'data: {"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n';
  const tokensOf = (at: number, body: object) => {
    send({ model: 'm', prompt: 'x', ...body }, { route: { ...chat, movingStream: undefined } });
    flight(at).stream(usage);
    flight(at).send(['data: {"a":1}\n\n'.padEnd(4_000)]);
    flight(at).send(['data: [DONE]\n\n'], { ended: true });
    return recent().outputTokens;
  };
  assert.equal(tokensOf(0, { stream: true }), null);
  assert.equal(tokensOf(1, { stream: true, stream_options: { include_usage: true } }), 3);
  assert.equal(tokensOf(2, { stream_options: { include_usage: true } }), null);
});

const boundary = 'multipart/form-data; boundary=x';
const part = (name: string, value: string) =>
  `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

test('the model of a form is its field, and an alias in it becomes the name of the model', async (t) => {
  const { send, last, flights, flight, recent, value } = begin(t, {
    aliases: new Map([['short', 'm']]),
  });
  const route: ForwardedRoute = { ...chat, kind: 'form', generates: false, promptKind: undefined };
  const form = (model: string) => `${part('language', 'en')}${part('model', model)}--x--\r\n`;
  const sent = { headers: { 'content-type': boundary }, route };
  for (const [i, model] of ['m', 'short'].entries()) {
    send(form(model), sent);
    while (flights.length === i) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(String(flights[i]?.request.body), form('m'));
    assert.deepEqual([last().model, last().promptTokens, last().stream], [model, 0, false]);
  }
  const unknown = send(form('x'), sent);
  while (!unknown.begun) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([unknown.status, unknown.error['param']], [404, 'model']);
  // A transcription is no generated text, whatever its response looks like.
  send(form('m'), sent);
  while (flights.length === 2) await new Promise((resolve) => setImmediate(resolve));
  flight(2).stream('data: {"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n');
  flight(2).send(['data: {"a":1}\n\n'.padEnd(4_000)]);
  flight(2).send(['data: [DONE]\n\n'], { ended: true });
  assert.equal(recent().outputTokens, null);
  const first = 'spillway_router_time_to_first_token_seconds_count';
  assert.equal(value(`${first}{model="m",server="http://c"}`), undefined);
  const nameless = send(`${part('language', 'en')}--x--\r\n`, sent);
  while (!nameless.begun) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([nameless.status, nameless.error['param']], [400, 'model']);
});
