// The embedded engine under more requests than it can run: limits, order, and what those who wait
// see; as a real vLLM 0.32.0 was seen to do it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { until } from '../support/until.ts';

const tokenizer = await loadTokenizer();
const twoSeats = { maxModelLen: 8192, numGpuBlocks: 1000, blockSize: 128, maxNumSeqs: 2 };

const busy = {
  message:
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
  type: 'Service Unavailable',
};
const backlog = {
  message:
    'The engine has reached its prefill token backlog limit. Please try again later or on a different instance.',
  type: 'Service Unavailable',
};
const refused = (error: object) => JSON.stringify({ error: { ...error, param: null, code: 503 } });

test('over the limit of requests each route refuses in its own form; all else goes on', async (t) => {
  const { url, stream, post, metric } = await start(t, { maxNumQueuedReqs: 3 });
  await stream({});
  await stream({});
  const two = await post('/v1/completions', { prompt: ['a', 'b'], max_tokens: 1 });
  assert.deepEqual([two.status, two.text], [503, refused(busy)], 'two prompts for one seat');
  const last = await stream({});
  assert.equal(last.status, 200, 'one prompt for one seat');

  const messages = [{ role: 'user', content: 'hi' }];
  for (const body of [
    { messages, max_tokens: 3 },
    { messages, max_tokens: 3, stream: true },
  ]) {
    const { status, text, headers } = await post('/v1/chat/completions', body);
    assert.deepEqual([status, text], [503, refused(busy)]);
    assert.equal(headers.get('content-type'), 'application/json', 'no events, streaming or not');
    assert.equal(headers.get('retry-after'), null);
  }
  const anthropic = await post('/v1/messages', { model: 'tiny', messages, max_tokens: 3 });
  assert.deepEqual(JSON.parse(anthropic.text), {
    type: 'error',
    error: { type: busy.type, message: busy.message },
  });
  const unknown = await post('/v1/completions', { model: 'nope', prompt: 'a' });
  assert.equal(unknown.status, 404, 'which model it is is asked first');
  for (const path of ['/health', '/v1/models']) {
    assert.equal((await fetch(url + path)).status, 200);
  }
  const reason = 'reason="max_num_queued_reqs"';
  assert.equal(await metric('vllm:admission_rejections_total', reason), 4);
});

test('the limit of tokens counts prompts before their first token, and not that of the request', async (t) => {
  const { stream, post, metric } = await start(t, { maxNumQueuedTokens: 3000 });
  const alone = await post('/v1/completions', { prompt: tokensOf(3500), max_tokens: 1 });
  assert.equal(alone.status, 200, 'longer than the limit, but nobody waits');
  const running = [await stream({}), await stream({})];
  for (const one of running) await one.next();
  for (let i = 0; i < 3; i++) await stream({ prompt: tokensOf(1400, i) });
  const short = await post('/v1/completions', { prompt: tokensOf(20), max_tokens: 1 });
  assert.deepEqual([short.status, short.text], [503, refused(backlog)]);
  const reason = 'reason="max_num_queued_tokens"';
  assert.equal(await metric('vllm:admission_rejections_total', reason), 1);
});

test('a limit of 0 accepts no request', async (t) => {
  const requests = await start(t, { maxNumQueuedReqs: 0 });
  assert.equal((await requests.post('/v1/completions', { prompt: 'a' })).status, 503);
  const prompts = await start(t, { maxNumQueuedTokens: 0 });
  assert.equal((await prompts.post('/v1/completions', { prompt: 'a' })).status, 503);
});

test('/load counts requests that run or wait, once each, until they end or their client goes', async (t) => {
  const { url, stream, post } = await start(t, { enableServerLoadTracking: true });
  const load = async () =>
    ((await (await fetch(`${url}/load`)).json()) as { server_load: number }).server_load;
  assert.equal(await load(), 0);
  const streams = [];
  for (let i = 0; i < 8; i++) streams.push(await stream({}));
  assert.equal(await load(), 8);
  const plain = new AbortController();
  const waiting = post('/v1/completions', { prompt: 'a' }, plain.signal).catch(() => 'gone');
  await until(async () => (await load()) === 9);
  await post('/tokenize', { prompt: 'a' });
  assert.equal(await load(), 9, 'tokenizing is not counted');
  plain.abort();
  assert.equal(await waiting, 'gone');
  await until(async () => (await load()) === 8);
  for (const one of streams) one.leave();
  await until(async () => (await load()) === 0);
});

test('a stream that waits has its head at once, and comments until its first token', async (t) => {
  const { stream } = await start(t, { sseKeepAliveSeconds: 0.1 });
  const running = [await stream({}), await stream({})];
  const waiting = await stream({ max_tokens: 5 });
  assert.equal(waiting.status, 200);
  while (!/(: keep-alive\n\n){2}/.test(waiting.text())) await waiting.next();
  for (const one of running) one.leave();
  const text = await waiting.rest();
  assert.match(text, /^(: keep-alive\n\n){2,}data: \{/);
  assert.match(text, /"finish_reason":"length"/);
});

test('without an interval, and on routes other than chat and completions, there are no comments', async (t) => {
  const silent = await start(t, {});
  for (let i = 0; i < 2; i++) await silent.stream({ max_tokens: 30 });
  assert.doesNotMatch(await (await silent.stream({ max_tokens: 2 })).rest(), /keep-alive/);

  const talkative = await start(t, { sseKeepAliveSeconds: 0.02 });
  for (let i = 0; i < 2; i++) await talkative.stream({ max_tokens: 40 });
  const { text } = await talkative.post('/v1/messages', {
    ...{ model: 'tiny', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2, stream: true },
  });
  assert.doesNotMatch(text, /keep-alive/);
});

test('under the priority policy the most urgent goes first, equals in order of arrival, and none takes a seat', async (t) => {
  const config = defaultEngineConfig({ ...twoSeats, schedulingPolicy: 'priority' });
  const { stream, metric } = await start(t, { config });
  const [running, endless] = [await stream({}), await stream({})];
  for (const one of [running, endless]) await one.next();
  const priorities = [5, 0, -3, 9, 2, 0];
  const order: number[] = [];
  const ends: Promise<unknown>[] = [];
  for (const [i, priority] of priorities.entries()) {
    const one = await stream({ priority, max_tokens: 40 + i });
    ends.push(
      one.next().then(() => order.push(i)),
      one.rest(),
    );
  }
  assert.equal(await metric('vllm:num_preemptions_total'), 0);
  running.leave();
  await Promise.all(ends);
  assert.deepEqual(
    order.map((i) => priorities[i]),
    [-3, 0, 0, 2, 5, 9],
  );
  assert.ok(order.indexOf(1) < order.indexOf(5), 'of equals the first to arrive');
});

test('X-Vllm-Priority overrides the body, a value that is not an integer is ignored, and without the policy all are', async (t) => {
  const config = defaultEngineConfig({
    ...twoSeats,
    maxNumSeqs: 1,
    maxNumActiveSeqs: 1,
    schedulingPolicy: 'priority',
  });
  const { stream } = await start(t, { config });
  const running = await stream({});
  await running.next();
  const late = await stream({ priority: 1, max_tokens: 30 }, { 'x-vllm-priority': 'notanumber' });
  const early = await stream({ priority: 9, max_tokens: 30 }, { 'x-vllm-priority': '-1' });
  running.leave();
  const first = await Promise.race([
    late.next().then(() => 'late'),
    early.next().then(() => 'early'),
  ]);
  assert.equal(first, 'early');

  const plain = await start(t, {
    config: defaultEngineConfig({ ...twoSeats, maxNumSeqs: 1, maxNumActiveSeqs: 1 }),
  });
  const seated = await plain.stream({});
  await seated.next();
  const before = await plain.stream({ priority: 9, max_tokens: 30 });
  const after = await plain.stream({ priority: -9, max_tokens: 30 });
  seated.leave();
  const winner = await Promise.race([
    before.next().then(() => 'before'),
    after.next().then(() => 'after'),
  ]);
  assert.equal(winner, 'before');
});

function tokensOf(length: number, salt = 0): number[] {
  return Array.from({ length }, (_, i) => 1000 + ((i + salt * 17) % 5000));
}

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer },
    config: defaultEngineConfig(twoSeats),
    cost: { stepSeconds: () => 0.005 },
    ...options,
  });
  const leaving = new AbortController();
  t.after(() => {
    leaving.abort();
    return server.close();
  });
  const { url } = server;
  const post = async (path: string, body: object, signal: AbortSignal = leaving.signal) => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  /** A stream of a completion; endless unless told otherwise. */
  const stream = async (body: object, headers: Record<string, string> = {}) => {
    const gone = new AbortController();
    const answer = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({
        ...{ prompt: 'Tell me about dams.', max_tokens: 3000, ignore_eos: true, stream: true },
        ...body,
      }),
      signal: AbortSignal.any([leaving.signal, gone.signal]),
    });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = '';
    const next = async () => {
      const { done, value } = await reader.read();
      if (!done) text += decoder.decode(value, { stream: true });
      return done;
    };
    return {
      status: answer.status,
      next,
      text: () => text,
      rest: async () => {
        while (!(await next()));
        return text;
      },
      leave: () => gone.abort(),
    };
  };
  const metric = async (name: string, label = ''): Promise<number> => {
    const page = await (await fetch(`${url}/metrics`)).text();
    const line = new RegExp(`^${name}(?:\\{[^}]*${label}[^}]*\\})? (\\S+)$`, 'm');
    return Number(line.exec(page)?.[1]);
  };
  return { url, post, stream, metric };
}

test('a beam search of no tokens ends at once with the one beam it began with', async (t) => {
  const { post } = await start(t, {});
  const beam = { use_beam_search: true, n: 2, max_tokens: 0 };
  const answer = await post('/v1/completions', { ...beam, prompt: 'a' });
  assert.equal(answer.status, 200);
  const { choices, usage } = JSON.parse(answer.text);
  assert.deepEqual(
    choices.map((one: { text: string; finish_reason: string }) => [one.text, one.finish_reason]),
    [['', 'length']],
  );
  assert.equal(usage.completion_tokens, 0);
  const next = await post('/v1/completions', { prompt: 'a', max_tokens: 1 });
  assert.equal(next.status, 200, 'the engine lives');
});
