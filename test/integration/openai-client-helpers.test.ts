// What the openai client builds on top of the wire, against the router over embedded engines: the
// runner that calls functions, responses with their stream helper, and parsed output.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { startFleet } from '../support/fleet.ts';

const model = 'Qwen/Qwen3-8B';
const question = 'Tell me of the sea.';
const parameters = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Paris', 'Oslo'] }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
};

async function start(t: TestContext) {
  const engine = { enableAutoToolChoice: true, toolCallParser: 'hermes' };
  const fleet = await startFleet(t, { engines: 2, policy: 'roundrobin', model, engine });
  const client = new OpenAI({ baseURL: fleet.url, apiKey: 'any', maxRetries: 0 });
  return { fleet, client };
}

for (const stream of [false, true] as const) {
  test(`the tools runner calls the function with what it was promised, ${stream ? 'streamed' : 'whole'}`, async (t) => {
    const { client } = await start(t);
    const calls: { city: string; days: number }[] = [];
    const runner = client.chat.completions.runTools({
      ...{ model, stream: stream as false, messages: [{ role: 'user', content: question }] },
      // A choice by name ends the runner after that call; `auto` is answered with text.
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      tools: [
        {
          type: 'function',
          function: {
            ...{ name: 'get_weather', description: 'Forecast of a city', parameters },
            parse: JSON.parse,
            function: (forecast: { city: string; days: number }) => {
              calls.push(forecast);
              return '7 degrees';
            },
          },
        },
      ],
    });
    assert.equal(await runner.finalFunctionToolCallResult(), '7 degrees');
    assert.equal(calls.length, 1);
    assert.ok(['Paris', 'Oslo'].includes(calls[0]?.city ?? ''));
    assert.ok(Number.isInteger(calls[0]?.days));
    const roles = runner.messages.map(({ role }) => role);
    assert.deepEqual(roles, ['user', 'assistant', 'tool']);
  });
}

test('the tools runner ends with text where the model need not call', async (t) => {
  const { client } = await start(t);
  const neverCalled = () => assert.fail('the embedded engine answers `auto` with text');
  const runner = client.chat.completions.runTools({
    ...{ model, messages: [{ role: 'user', content: question }] },
    tools: [
      {
        type: 'function',
        function: {
          ...{ name: 'get_weather', description: 'Forecast of a city', parameters },
          ...{ parse: JSON.parse, function: neverCalled },
        },
      },
    ],
  });
  assert.ok(((await runner.finalContent()) ?? '').length > 10);
  assert.equal(runner.messages.length, 2);
});

test('a response has its text and usage, and its stream adds up to the same', async (t) => {
  const { client } = await start(t);
  const ask = { model, input: question, max_output_tokens: 20 };
  const whole = await client.responses.create(ask);
  assert.equal(whole.status, 'incomplete');
  assert.equal(whole.usage?.output_tokens, 20);
  const stream = client.responses.stream(ask);
  let text = '';
  stream.on('response.output_text.delta', ({ delta }) => {
    text += delta;
  });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.equal(text, whole.output_text);
});

test('a response parsed by a schema is an object that fits it', async (t) => {
  const { client } = await start(t);
  const answer = await client.responses.parse({
    ...{ model, input: question },
    text: { format: { type: 'json_schema', name: 'forecast', schema: parameters, strict: true } },
  });
  const forecast = JSON.parse(answer.output_text) as { city: string; days: number };
  assert.deepEqual(Object.keys(forecast).toSorted(), ['city', 'days']);
  assert.ok(['Paris', 'Oslo'].includes(forecast.city) && Number.isInteger(forecast.days));
});
