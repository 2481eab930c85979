// Streams of Anthropic's Messages and OpenAI's Responses that move: their engines tell no token ids, so another engine
// repeats what the client has and goes on. The client's stream must be the unbroken one but for random ids.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Faults,
  jsonHeaders,
  migrations,
  model,
  startFaulty,
  textOf,
} from '../support/faulty-stack.ts';
import { stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, type ReceivedRequest } from '../support/scripted-engine.ts';

type Data = Record<string, unknown> & { readonly type: string };

/** The events of a stream; each name must be that of its data. */
async function eventsOf(url: string, path: string, body: object): Promise<Data[]> {
  const response = await fetch(`${url}${path}`, {
    ...{ method: 'POST', headers: jsonHeaders },
    body: JSON.stringify({ model, stream: true, ...body }),
  });
  assert.equal(response.status, 200);
  const text = await textOf(response);
  return text.split(/\n\n+/).flatMap((event) => {
    if (event === '') return [];
    const [, name, json = ''] = /^(?:event: (.*)\n)?data: (.*)$/.exec(event) ?? assert.fail(event);
    if (json === '[DONE]') return [];
    const data = JSON.parse(json);
    if (name !== undefined) assert.equal(data.type, name);
    return [data];
  });
}

/** Joins the deltas of each text, because engines divide it differently; the rest stays in its order. */
function joinedDeltas(events: readonly Data[]): Data[] {
  const joined: Data[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (last !== undefined && isDelta(event) && keyOf(event) === keyOf(last)) {
      joined[joined.length - 1] = withDelta(last, deltaOf(last) + deltaOf(event));
    } else joined.push(event);
  }
  return joined;
}

const textFields = ['text', 'thinking', 'partial_json'] as const;

function isDelta(event: Data): boolean {
  return typeof deltaOf(event) === 'string';
}

function deltaOf({ delta }: Data): string {
  if (typeof delta === 'string') return delta;
  const fields = (delta ?? {}) as Record<string, string>;
  return textFields.map((field) => fields[field]).find((text) => text !== undefined) as string;
}

function withDelta(event: Data, text: string): Data {
  if (typeof event['delta'] === 'string') return { ...event, delta: text };
  const delta = { ...(event['delta'] as Record<string, string>) };
  for (const field of textFields) if (field in delta) delta[field] = text;
  return { ...event, delta };
}

function keyOf(event: Data): string {
  return JSON.stringify({ ...withDelta(event, ''), sequence_number: 0 });
}

/** Replaces what differs between two requests: ids and signatures by their order, times, cached tokens, numbers. */
function withoutChance(events: readonly Data[]): unknown {
  const names = new Map<string, string>();
  return JSON.parse(JSON.stringify(events), (key, value) => {
    if (['id', 'item_id', 'call_id', 'signature'].includes(key) && typeof value === 'string') {
      if (!names.has(value)) names.set(value, `id ${names.size}`);
      return names.get(value);
    }
    const isChance =
      key === 'created_at' || key === 'metrics' || key === 'sequence_number' || /cache/.test(key);
    return isChance ? 0 : value;
  });
}

/** What a client makes of a stream. */
const readingOf = (events: readonly Data[]) => withoutChance(joinedDeltas(events));

/** The numbers of events begin with 0 and have no gap. */
function assertNumbered(events: readonly Data[]): void {
  assert.deepEqual(
    events.map((event) => event['sequence_number']),
    events.map((_, i) => i),
  );
}

const messagesPath = '/v1/messages';
const responsesPath = '/v1/responses';
const messages = [{ role: 'user', content: 'Tell me about the sea' }];
const message = { messages, max_tokens: 60, temperature: 0 };
const response = { input: 'Tell me about the sea', max_output_tokens: 60, temperature: 0 };
const cut = (events: number): Faults => ({ cutStream: { probability: 1, events } });
const tool = {
  name: 'weather',
  description: 'The weather of a city',
};
const schema = {
  type: 'object',
  properties: { city: { type: 'string', minLength: 40 } },
  required: ['city'],
};

const engine = {
  reasoningParser: 'qwen3',
  enableAutoToolChoice: true,
  toolCallParser: 'hermes',
};

for (const [what, path, body, cuts] of [
  ['a message', messagesPath, message, [2, 3, 4, 9, 30, 61, 62]],
  [
    'thinking and an answer',
    messagesPath,
    { ...message, max_tokens: 200 },
    [3, 40, 76, 79, 82, 85],
  ],
  [
    'a tool call',
    messagesPath,
    { ...message, tools: [{ ...tool, input_schema: schema }], tool_choice: { type: 'any' } },
    [2, 3, 6, 12],
  ],
  ['a response', responsesPath, response, [3, 4, 5, 9, 30, 64]],
  ['reasoning and an answer', responsesPath, { ...response, max_output_tokens: 200 }, [5, 80, 90]],
  [
    'a function call',
    responsesPath,
    {
      ...response,
      tools: [{ type: 'function', ...tool, parameters: schema }],
      tool_choice: 'required',
    },
    [3, 4, 8, 14],
  ],
  ['a seeded response', responsesPath, { ...response, temperature: 1, seed: 7 }, [9]],
] as const) {
  test(`an engine that loses its connection is left in mid-stream, ${path}: ${what}`, async (t) => {
    const { router: whole } = await startFaulty(t, [{}], { engine });
    const unbroken = await eventsOf(whole.url, path, body);
    assert.ok(unbroken.length > 12, `${unbroken.length} events`);
    for (const events of cuts) {
      const { router } = await startFaulty(t, [cut(events), {}], { engine });
      const moved = await eventsOf(router.url, path, body);
      assert.deepEqual(readingOf(moved), readingOf(unbroken), `after ${events}`);
      if (path === responsesPath) assertNumbered(moved);
      const counts = Object.keys(await migrations(router));
      assert.deepEqual(counts, ['moved truncated'], `after ${events}`);
    }
  });
}

for (const [what, fault, cause] of [
  ['reports an error', { errorInStream: { probability: 1, events: 9 } }, 'event'],
  ['hangs', { hangInStream: { probability: 1, events: 9, seconds: 600 } }, 'timeout'],
] as const) {
  test(`an engine that ${what} is left in a message and in a response`, async (t) => {
    const { engines, router } = await startFaulty(t, [fault, {}], {
      router: { deadlines: { streamIdleSeconds: 0.3 } },
    });
    for (const [path, body] of [
      [messagesPath, message],
      [responsesPath, response],
    ] as const) {
      const unbroken = await eventsOf(engines[1]?.url ?? '', path, body);
      assert.deepEqual(readingOf(await eventsOf(router.url, path, body)), readingOf(unbroken));
    }
    assert.deepEqual(Object.keys(await migrations(router)), [`moved ${cause}`]);
  });
}

test('a message and a response move several times, and are whole', async (t) => {
  for (const [path, body] of [
    [messagesPath, { ...message, max_tokens: 90 }],
    [responsesPath, { ...response, max_output_tokens: 90 }],
  ] as const) {
    const { engines, router } = await startFaulty(t, [cut(12), cut(25), cut(40), {}]);
    const unbroken = await eventsOf(engines[3]?.url ?? '', path, body);
    const moved = await eventsOf(router.url, path, body);
    assert.deepEqual(readingOf(moved), readingOf(unbroken));
    if (path === responsesPath) assertNumbered(moved);
    assert.deepEqual(await migrations(router), { 'moved truncated': 3 });
  }
});

test('a message that breaks before its last event is completed by the router', async (t) => {
  const body = { ...message, max_tokens: 5 };
  const { router: whole } = await startFaulty(t, [{}]);
  const unbroken = await eventsOf(whole.url, messagesPath, body);
  const { router } = await startFaulty(t, [cut(unbroken.length - 1), {}]);
  assert.deepEqual(readingOf(await eventsOf(router.url, messagesPath, body)), readingOf(unbroken));
  assert.deepEqual(await migrations(router), { 'completed truncated': 1 });
});

test('before the client has seen any of it, a sampled message or response starts again', async (t) => {
  for (const [path, body, events] of [
    [messagesPath, { ...message, temperature: 1 }, 1],
    [responsesPath, { ...response, temperature: 1 }, 2],
  ] as const) {
    const { engines, router } = await startFaulty(t, [cut(events), {}]);
    const unbroken = await eventsOf(engines[1]?.url ?? '', path, body);
    const moved = await eventsOf(router.url, path, body);
    assert.deepEqual(readingOf(moved), readingOf(unbroken));
    if (path === responsesPath) assertNumbered(moved);
    assert.deepEqual(await migrations(router), { 'moved truncated': 1 });
  }
});

for (const [reason, path, body] of [
  ['sampled', messagesPath, { ...message, temperature: 1 }],
  ['sampled', messagesPath, { ...message, temperature: 1, seed: 3 }],
  ['sampled', responsesPath, { ...response, temperature: undefined }],
  ['logprobs', responsesPath, { ...response, include: ['message.output_text.logprobs'] }],
] as const) {
  test(`what cannot be repeated ends with an error: ${path} ${reason}`, async (t) => {
    const { router } = await startFaulty(t, [cut(9), {}]);
    const events = await eventsOf(router.url, path, body);
    const { message: text } = (events.at(-1)?.['error'] ?? {}) as { message?: string };
    assert.match(text ?? '', /^Engine http/);
    assert.deepEqual(await migrations(router), { [`declined ${reason}`]: 1 });
  });
}

/** An event of a message, as an engine writes it. */
const event = (type: string, fields: object) =>
  chunk(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
const openingOf = (block: object) =>
  event('message_start', {
    message: { id: 'a', type: 'message', role: 'assistant', content: [], model, usage: {} },
  }) + event('content_block_start', { index: 0, content_block: block });
const opening = openingOf({ type: 'text', text: '' });
const delta = (text: string) =>
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
const ending = (reason: string | null) =>
  event('content_block_stop', { index: 0 }) +
  event('message_delta', { delta: { stop_reason: reason }, usage: { output_tokens: 3 } }) +
  event('message_stop', {});
const writes =
  (text: string, ends: boolean) =>
  ({ socket }: ReceivedRequest) => {
    if (ends) socket.write(`${eventStreamHead}${text}0\r\n\r\n`);
    else socket.write(eventStreamHead + text, () => socket.destroy());
  };

/** The texts, and the types of the other events, that a client gets from two engines. */
async function fromTwo(
  t: Parameters<typeof stack>[0],
  first: string,
  second: string,
  isCut = true,
): Promise<{ readonly seen: readonly string[]; readonly counts: Record<string, number> }> {
  const { router } = await stack(t, [
    { onRequest: writes(first, !isCut) },
    { onRequest: writes(second, true) },
  ]);
  const events = await eventsOf(router.url, messagesPath, message);
  const seen = events.map((one) => (isDelta(one) ? deltaOf(one) : (one.type ?? 'error')));
  return { seen, counts: await migrations(router) };
}

test('an engine that divides the text differently continues it', async (t) => {
  const { seen, counts } = await fromTwo(
    t,
    opening + delta('A "sea') + delta(' of 🙂'),
    opening + delta('A ') + delta('"sea of') + delta(' 🙂 and') + delta('.') + ending('end_turn'),
  );
  assert.deepEqual(seen, [
    ...['message_start', 'content_block_start', 'A "sea', ' of 🙂', ' and', '.'],
    ...['content_block_stop', 'message_delta', 'message_stop'],
  ]);
  assert.deepEqual(counts, { 'moved truncated': 1 });
});

test('a message whose engine aborts it goes on: the end of its block is held back until then', async (t) => {
  const { seen, counts } = await fromTwo(
    t,
    opening + delta('A sea') + ending(null),
    opening + delta('A sea') + delta(' of') + ending('end_turn'),
    false,
  );
  assert.deepEqual(seen, [
    ...['message_start', 'content_block_start', 'A sea', ' of'],
    ...['content_block_stop', 'message_delta', 'message_stop'],
  ]);
  assert.deepEqual(counts, { 'moved event': 1 });
});

for (const [what, second] of [
  ['another text', opening + delta('A lake') + ending('end_turn')],
  ['a shorter text', opening + delta('A s') + ending('end_turn')],
  ['another kind of block', openingOf({ type: 'thinking', thinking: '' }) + ending('end_turn')],
] as const) {
  test(`a message that another engine does not repeat ends with an error: ${what}`, async (t) => {
    const { seen, counts } = await fromTwo(t, opening + delta('A sea'), second);
    assert.deepEqual(seen, ['message_start', 'content_block_start', 'A sea', 'error']);
    assert.deepEqual(counts, { 'failed diverged': 1 });
  });
}

test('a stream with events that the router does not know is declined', async (t) => {
  const unknown = event('content_block_delta', { index: 0, delta: { type: 'citations_delta' } });
  const { counts } = await fromTwo(t, opening + delta('A') + unknown, '');
  assert.deepEqual(counts, { 'declined events': 1 });
});
