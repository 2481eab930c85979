// Streams that move: an engine that dies, hangs or reports an error in mid-stream is left, and another one
// continues. Embedded engines compute each token from those before it, so the text must be the unbroken one.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRouter } from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import {
  type Faults,
  jsonHeaders,
  migrations,
  model,
  startFaulty,
  textOf,
} from '../support/faulty-stack.ts';
import { post, stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, type ReceivedRequest } from '../support/scripted-engine.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

interface Choice {
  readonly index: number;
  readonly delta?: {
    readonly role?: string;
    readonly content?: string | null;
    readonly reasoning?: string;
    readonly tool_calls?: readonly object[];
  };
  readonly text?: string;
  readonly finish_reason: string | null;
  readonly stop_reason?: unknown;
  readonly token_ids?: readonly number[] | null;
}

/** What a client makes of a stream. */
interface Streamed {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly object[];
  readonly roles: number;
  readonly finish: readonly string[];
  readonly stopReason: unknown;
  readonly usage: object | undefined;
  readonly ids: readonly number[];
  readonly error: string | undefined;
  readonly isDone: boolean;
}

async function streamed(url: string, path: string, body: object): Promise<Streamed> {
  const response = await fetch(`${url}${path}`, {
    ...{ method: 'POST', headers: jsonHeaders },
    body: JSON.stringify({ model, stream: true, ...body }),
  });
  assert.equal(response.status, 200);
  const text = await textOf(response);
  const heads = new Set<string>();
  const [choices, errors]: [Choice[], string[]] = [[], []];
  let usage: object | undefined;
  let isDone = false;
  for (const event of text.split(/\n\n+/).filter((one) => one !== '')) {
    assert.ok(!isDone, `an event after the last one: ${event}`);
    assert.match(event, /^data: /);
    isDone = event === 'data: [DONE]';
    if (isDone) continue;
    const parsed = JSON.parse(event.slice(6));
    if (parsed.error) errors.push(parsed.error.message);
    else {
      heads.add(JSON.stringify([parsed.id, parsed.created, parsed.object, parsed.model]));
      choices.push(...parsed.choices);
      if (parsed.choices.length === 0) usage = parsed.usage;
    }
  }
  assert.equal(heads.size, 1);
  const last = choices.at(-1);
  return {
    text: choices.map((one) => one.delta?.content ?? one.text ?? '').join(''),
    reasoning: choices.map((one) => one.delta?.reasoning ?? '').join(''),
    calls: choices.flatMap((one) => one.delta?.tool_calls ?? []),
    roles: choices.filter((one) => one.delta?.role !== undefined).length,
    finish: choices.flatMap((one) => one.finish_reason ?? []),
    stopReason: last?.stop_reason,
    usage,
    ids: choices.flatMap((one) => one.token_ids ?? []),
    error: errors[0],
    isDone,
  };
}

const chatPath = '/v1/chat/completions';
const chat = { messages: [{ role: 'user', content: 'Tell me about the sea' }], max_tokens: 60 };
const completionPath = '/v1/completions';
const completion = { prompt: 'Once upon a time', max_tokens: 60 };
const withUsage = { stream_options: { include_usage: true } };

const breaks: Readonly<Record<string, readonly [Faults, string]>> = {
  'loses its connection': [{ cutStream: { probability: 1, events: 9 } }, 'truncated'],
  'reports an error': [{ errorInStream: { probability: 1, events: 9 } }, 'event'],
  hangs: [{ hangInStream: { probability: 1, events: 9, seconds: 600 } }, 'timeout'],
};

for (const [what, [fault, cause]] of Object.entries(breaks)) {
  for (const [path, body] of [
    [chatPath, chat],
    [chatPath, { ...chat, ...withUsage, seed: 7 }],
    [completionPath, { ...completion, ...withUsage, min_tokens: 30 }],
    [completionPath, { ...completion, seed: 3, ignore_eos: true }],
  ] as const) {
    test(`an engine that ${what} is left in mid-stream: ${path} ${JSON.stringify(body).slice(-45)}`, async (t) => {
      const { engines, router } = await startFaulty(t, [fault, {}], {
        router: { deadlines: { streamIdleSeconds: 0.3 } },
      });
      const unbroken = await streamed(engines[1]?.url ?? '', path, body);
      assert.ok(unbroken.text.length > 60 && unbroken.isDone);
      assert.deepEqual(await streamed(router.url, path, body), unbroken);
      assert.deepEqual(await migrations(router), { [`moved ${cause}`]: 1 });
      // Reroutes are those before the response started.
      const page = await (await fetch(`${router.url}/metrics`)).text();
      assert.match(page, /spillway_router_reroutes_total\{[^}]*\} 0\.0\n/);
      assert.doesNotMatch(page, /spillway_router_reroutes_total\{[^}]*\} [1-9]/);
    });
  }
}

test('a stream moves several times, and is whole', async (t) => {
  const cut = (events: number) => ({ cutStream: { probability: 1, events } });
  const { engines, router } = await startFaulty(t, [cut(12), cut(15), cut(10), {}], {
    router: { reroutesMax: 1 },
  });
  const body = { ...chat, ...withUsage, max_tokens: 90 };
  const unbroken = await streamed(engines[3]?.url ?? '', chatPath, body);
  assert.deepEqual(await streamed(router.url, chatPath, body), unbroken);
  const { 'moved truncated': moves } = await migrations(router);
  assert.ok(moves !== undefined && moves >= 3, `${moves} moves`);
});

test('a stream that breaks before its last event is completed by the router', async (t) => {
  const body = { ...completion, ...withUsage, max_tokens: 5, ignore_eos: true };
  for (const events of [5, 6]) {
    const { engines, router } = await startFaulty(t, [
      { cutStream: { probability: 1, events } },
      {},
    ]);
    const unbroken = await streamed(engines[1]?.url ?? '', completionPath, body);
    assert.deepEqual(await streamed(router.url, completionPath, body), unbroken);
    assert.deepEqual(await migrations(router), { 'completed truncated': 1 });
  }
});

test('reasoning goes on, and so does the answer after it', async (t) => {
  const engine = { reasoningParser: 'qwen3' };
  const messages = [{ role: 'user', content: 'a' }];
  const body = { messages, ...withUsage, max_tokens: 200, ignore_eos: true };
  const { router: whole } = await startFaulty(t, [{}], { engine });
  const unbroken = await streamed(whole.url, chatPath, body);
  assert.ok(unbroken.reasoning.length > 20 && unbroken.text.length > 20);
  // Some around the end of the reasoning.
  for (const events of [3, 40, 76, 77, 78, 79, 80, 81, 82, 83, 84, 190]) {
    const { router } = await startFaulty(t, [{ cutStream: { probability: 1, events } }, {}], {
      engine,
    });
    assert.deepEqual(await streamed(router.url, chatPath, body), unbroken, `after ${events}`);
  }
});

const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', minLength: 40 } },
        required: ['city'],
      },
    },
  },
];

test('with tools, text goes on, and a tool call that has begun is one call', async (t) => {
  const engine = { enableAutoToolChoice: true, toolCallParser: 'hermes' };
  const { engines, router } = await startFaulty(
    t,
    [{ cutStream: { probability: 1, events: 18 } }, {}],
    {
      engine,
    },
  );
  const seen = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const messages = [{ role: 'user', content: `Question ${i}` }];
    const choice = i % 3 === 0 ? { tool_choice: 'required' } : {};
    const body = { ...chat, ...withUsage, tools, messages, ...choice };
    const unbroken = await streamed(engines[1]?.url ?? '', chatPath, body);
    const routed = await streamed(router.url, chatPath, body);
    assert.deepEqual(
      { ...routed, calls: callsOf(routed.calls) },
      { ...unbroken, calls: callsOf(unbroken.calls) },
    );
    seen.add(unbroken.calls.length === 0 ? 'text' : 'call');
  }
  assert.deepEqual([...seen].toSorted(), ['call', 'text']);
  assert.deepEqual(Object.keys(await migrations(router)), ['moved truncated']);
});

interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

/** The calls that a client puts together; each has one id, one type and one name. */
function callsOf(deltas: readonly object[]): object[] {
  const calls: { ids: number; types: string; name: string; json: string }[] = [];
  for (const { index, id, type, function: called } of deltas as readonly CallDelta[]) {
    calls[index] ??= { ids: 0, types: '', name: '', json: '' };
    const call = calls[index];
    if (id !== undefined) call.ids++;
    call.types += type ?? '';
    call.name += called?.name ?? '';
    call.json += called?.arguments ?? '';
  }
  return calls;
}

for (const fields of [
  { temperature: 0, stop: ['zzzz'] },
  { seed: 3, presence_penalty: 1 },
  { temperature: 0, response_format: { type: 'json_object' }, ignore_eos: true },
  { temperature: 0, bad_words: ['x y'], return_token_ids: true },
  { frequency_penalty: 0.5 },
]) {
  test(`a stream moves, as engines repeat it or nothing is lost: ${JSON.stringify(fields)}`, async (t) => {
    const { engines, router } = await startFaulty(t, [
      { cutStream: { probability: 1, events: 9 } },
      {},
    ]);
    for (const [path, base] of [
      [chatPath, chat],
      [completionPath, completion],
    ] as const) {
      const body = { ...base, ...withUsage, ...fields };
      const unbroken = await streamed(engines[1]?.url ?? '', path, body);
      assert.deepEqual(await streamed(router.url, path, body), unbroken);
    }
    assert.deepEqual(Object.keys(await migrations(router)), ['moved truncated']);
  });
}

test('a response that another engine does not repeat ends with an error', async (t) => {
  const answer = (first: string, isWhole: boolean) => {
    const token = (id: number, content: string) =>
      `{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"${content}"},"logprobs":null,"finish_reason":null,"token_ids":[${id}]}]}`;
    const [opening] = half(true);
    const events = [token(5, first), token(6, ' b')].map((json) => chunk(`data: ${json}\n\n`));
    return ({ socket }: ReceivedRequest) =>
      socket.write(eventStreamHead + opening + events.join(''), () => {
        if (!isWhole) socket.destroy();
      });
  };
  const other = ({ socket }: ReceivedRequest) =>
    socket.write(
      eventStreamHead + half(true).join('').replace('"token_ids":[6]', '"token_ids":[7]'),
    );
  const { router } = await stack(t, [{ onRequest: answer(' w5', false) }, { onRequest: other }]);
  const text = await textOf(await post(router, { ...request, temperature: 0, stop: ['zzzz'] }));
  assert.match(text, /w5.* b.*"error":\{"message":"Engine .* wrote another response/s);
  assert.equal(text.split(' w5').length, 2);
  assert.deepEqual(await migrations(router), { 'failed diverged': 1 });
});

for (const [reason, body] of [
  ['choices', { n: 2 }],
  ['logprobs', { logprobs: true }],
  ['penalties', { presence_penalty: 1 }],
  ['stop', { stop: ['zzzz'] }],
  ['constrained', { response_format: { type: 'json_object' }, ignore_eos: true }],
  ['ids', { return_token_ids: false }],
] as const) {
  test(`what cannot be continued exactly ends with an error: ${reason}`, async (t) => {
    const { router } = await startFaulty(t, [{ cutStream: { probability: 1, events: 8 } }, {}]);
    const { error, isDone, text } = await streamed(router.url, chatPath, { ...chat, ...body });
    assert.match(error ?? '', /^Engine http/);
    assert.ok(!isDone && text !== '');
    assert.deepEqual(await migrations(router), { [`declined ${reason}`]: 1 });
  });
}

test('a stream with stop strings of one character moves, and stops where the unbroken one does', async (t) => {
  const { engines, router } = await startFaulty(t, [
    { cutStream: { probability: 1, events: 9 } },
    {},
  ]);
  let stopped = 0;
  for (const stop of ['x', 'q', 'j', 'k', 'v', 'z', ',', ['b', 'q']]) {
    const body = { ...chat, ...withUsage, stop };
    const unbroken = await streamed(engines[1]?.url ?? '', chatPath, body);
    assert.deepEqual(await streamed(router.url, chatPath, body), unbroken);
    if (unbroken.finish[0] === 'stop' && unbroken.text.length > 60) stopped++;
  }
  assert.ok(stopped > 0, 'some stop after the join');
  const counts = await migrations(router);
  assert.ok((counts['moved truncated'] ?? 0) > 2);
  assert.deepEqual(Object.keys(counts), ['moved truncated']);
});

test('an engine’s own error event reaches the client of a stream that cannot move', async (t) => {
  const { router } = await startFaulty(t, [{ errorInStream: { probability: 1, events: 8 } }, {}]);
  const { error, isDone } = await streamed(router.url, chatPath, { ...chat, logprobs: true });
  assert.deepEqual([error, isDone], ['Injected fault.', true]);
});

test('before the client has seen any text, every stream starts again elsewhere', async (t) => {
  const { engines, router } = await startFaulty(t, [
    { cutStream: { probability: 1, events: 1 } },
    {},
  ]);
  const body = { ...chat, logprobs: true, stop: ['zzzz'], presence_penalty: 1 };
  const unbroken = await streamed(engines[1]?.url ?? '', chatPath, body);
  assert.deepEqual(await streamed(router.url, chatPath, body), unbroken);
});

test('a client that asks for token ids gets those of the whole response', async (t) => {
  const { engines, router } = await startFaulty(t, [
    { cutStream: { probability: 1, events: 9 } },
    {},
  ]);
  const body = { ...chat, return_token_ids: true };
  const unbroken = await streamed(engines[1]?.url ?? '', chatPath, body);
  assert.equal(unbroken.ids.length, 60);
  assert.deepEqual(await streamed(router.url, chatPath, body), unbroken);
});

test('without migration a stream ends with its engine, and no ids are asked for', async (t) => {
  const { router } = await startFaulty(t, [{ cutStream: { probability: 1, events: 9 } }, {}], {
    router: { migration: false },
  });
  const { error, isDone } = await streamed(router.url, chatPath, chat);
  assert.match(error ?? '', /^Engine http/);
  assert.ok(!isDone);
  assert.deepEqual(await migrations(router), { 'declined off': 1 });
});

test('the load of all engines is zero after streams have moved', async (t) => {
  const faults = [{ cutStream: { probability: 0.5, events: 20 } }, {}, {}];
  const { router } = await startFaulty(t, faults, { router: { policy: 'predictive' } });
  const bodies = Array.from({ length: 40 }, (_, i) => ({ ...chat, seed: i }));
  const all = await Promise.all(bodies.map((body) => streamed(router.url, chatPath, body)));
  assert.ok(all.every(({ isDone }) => isDone));
  const views = (await (await fetch(`${router.url}/engines`)).json()) as {
    load: { inflight: number; prefillTokens: number; decodeTokens: number };
  }[];
  for (const { load } of views) {
    assert.deepEqual([load.inflight, load.prefillTokens, load.decodeTokens], [0, 0, 0]);
  }
});

/** A stream of two tokens and no end. */
const half = (ids: boolean, promptIds = '[1,2]') =>
  [
    `{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]${ids ? `,"prompt_token_ids":${promptIds}` : ''}}`,
    ...[5, 6].map(
      (id) =>
        `{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" w${id}"},"logprobs":null,"finish_reason":null,"token_ids":${ids ? `[${id}]` : 'null'}}]}`,
    ),
  ].map((json) => chunk(`data: ${json}\n\n`));

const request = { model, stream: true, messages: [] };

test('an engine that tells no token ids cannot be left', async (t) => {
  const onRequest = ({ socket }: ReceivedRequest) =>
    socket.write(eventStreamHead + half(false).join(''), () => socket.destroy());
  const { router, engines } = await stack(t, [{ onRequest }, { onRequest }]);
  assert.match(await textOf(await post(router, request)), /"error":\{"message":"Engine/);
  assert.deepEqual(await migrations(router), { 'declined tokens': 1 });
  assert.equal(engines[1]?.received.length, 0);
});

test('an engine that ignores the tokens of the response does not continue it', async (t) => {
  const onRequest = ({ socket }: ReceivedRequest) =>
    socket.write(eventStreamHead + half(true).join(''), () => socket.destroy());
  const { router, engines } = await stack(t, [{ onRequest }, { onRequest }]);
  const text = await textOf(await post(router, request));
  assert.match(text, /w5.*w6.*"error":\{"message":"Engine .* 2 prompt tokens rather than 4/s);
  assert.equal(text.split(' w5').length, 2);
  const sent = JSON.parse(engines[1]?.received[0]?.body ?? '');
  assert.deepEqual(sent.kv_transfer_params, { prompt_token_ids: [1, 2, 5, 6] });
  assert.deepEqual(await migrations(router), { 'failed mismatch': 1 });
});

test('a chunk of a shape that no engine writes reaches the client, and the router goes on', async (t) => {
  const events = ['{"choices":"none"}', '{"choices":[null]}', '{"choices":[{"delta":null}]}'];
  const onRequest = ({ socket }: ReceivedRequest) =>
    socket.write(
      [eventStreamHead, ...events.map((json) => chunk(`data: ${json}\n\n`)), '0\r\n\r\n'].join(''),
    );
  const { router } = await stack(t, [{ onRequest }]);
  const whole = events.map((json) => `data: ${json}\n\n`).join('');
  for (let i = 0; i < 2; i++) assert.equal(await textOf(await post(router, request)), whole);
});

const program = fileURLToPath(new URL('../../bin/spillway.mjs', import.meta.url));

/** An engine in a process of its own. */
async function startProcess(t: TestContext): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(
    process.execPath,
    [program, 'engine', 'qwen3-0.6b', '--port', '0', '--json', '--time-scale', '0.1'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, url: JSON.parse(line).url };
}

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`a process that gets ${signal} in mid-stream is left`, async (t) => {
    const [first, second] = [await startProcess(t), await startProcess(t)];
    const router = await startRouter({
      port: 0,
      engines: [first, second].map(({ url }) => ({ url, models: [] })),
      policy: 'roundrobin',
      ...{ log, tickMs: 20, deadlines: { streamIdleSeconds: 1 } },
    });
    t.after(() => router.close(0));
    await router.probed;
    const body = {
      ...{ ...chat, ...withUsage, model: 'qwen3-0.6b', stream: true, max_tokens: 120 },
      ignore_eos: true,
    };
    const unbroken = await streamed(second.url, chatPath, body);
    const response = await fetch(`${router.url}${chatPath}`, {
      ...{ method: 'POST', headers: jsonHeaders },
      body: JSON.stringify(body),
    });
    let text = '';
    let isStruck = false;
    const decoder = new TextDecoder();
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
      if (isStruck || text.length < 2000) continue;
      isStruck = true;
      first.child.kill(signal);
    }
    const contents = text
      .split('\n\n')
      .filter((event) => event.startsWith('data: {'))
      .map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? '');
    assert.equal(contents.join(''), unbroken.text);
    assert.match(text, /data: \[DONE\]\n\n$/);
    const counts = Object.keys(await migrations(router));
    assert.equal(counts.length, 1);
    assert.match(counts[0] ?? '', /^moved /);
  });
}
