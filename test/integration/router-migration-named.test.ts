// Streams of Anthropic's Messages and OpenAI's Responses that move: their engines tell no token ids, so another engine
// repeats what the client has and goes on. The client's stream must be the unbroken one but for random ids.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrations, model, startFaulty } from '../support/faulty-stack.ts';
import {
  assertNumbered,
  cut,
  deltaOf,
  eventsOf,
  isDelta,
  messagesPath,
  readingOf,
  responsesPath,
} from '../support/named-streams.ts';
import { stack } from '../support/router-stack.ts';
import { chunk, eventStreamHead, type ReceivedRequest } from '../support/scripted-engine.ts';

const messages = [{ role: 'user', content: 'Tell me about the sea' }];
const message = { messages, max_tokens: 60, temperature: 0 };
const response = { input: 'Tell me about the sea', max_output_tokens: 60, temperature: 0 };
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
  ['tokenizer', messagesPath, { ...message, temperature: 1 }],
  ['tokenizer', messagesPath, { ...message, temperature: 1, seed: 3 }],
  ['tokenizer', responsesPath, { ...response, temperature: undefined }],
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
