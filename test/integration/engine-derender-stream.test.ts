// Streamed derender end to end: what one engine generates in pieces another turns into the same answer
// as in one piece, with thoughts and tool calls in fields of their own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const tokenizer = await loadTokenizer();
const server = await createEngineServer({
  ...{ port: 0, model: 'tiny', tokenizer },
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.01 },
  ...{ enableScaleOut: true, reasoningParser: 'qwen3' },
  ...{ toolCallParser: 'hermes', enableAutoToolChoice: true },
});
after(() => server.close());

const written =
  'Naïve 思考 first 🙂.</think>I look.<tool_call>\n{"name": "find", "arguments": {"city": "Ōsaka"}}\n</tool_call>';
const ids = tokenizer.encode(written);
const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object' } } }];
const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Where?' }], tools };

interface Delta {
  readonly role?: string | null;
  readonly content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly {
    id: string | null;
    function: { name: string; arguments: string };
  }[];
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

/** Sends the tokens in pieces of these lengths, the state carried along. */
async function streamed(
  path: string,
  lengths: readonly number[],
  fields: object,
): Promise<object[]> {
  let state: unknown;
  const choices: object[] = [];
  for (let at = 0, i = 0; at < ids.length; i++) {
    const part = ids.slice(at, at + (lengths[i % lengths.length] as number));
    at += part.length;
    const choice = { index: 0, token_ids: part, finish_reason: at < ids.length ? null : 'stop' };
    const answer = await post(path, {
      ...{ stream: true, ...fields, stream_state: state ?? null },
      generate_chunk: { request_id: 'g', choices: [choice] },
    });
    state = answer['stream_state'];
    choices.push((answer['chunk'] as { choices: object[] }).choices[0] as object);
  }
  return choices;
}

const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });

test('a chat cut anywhere has the thoughts, the text and the call of the whole', async () => {
  await fc.assert(
    fc.asyncProperty(cuts, async (lengths) => {
      const fields = { chat_request: chat, prompt_token_ids: [1, 2] };
      const choices = await streamed('/v1/chat/completions/derender', lengths, fields);
      const deltas = choices.map((one) => (one as { delta: Delta }).delta);
      const joined = (name: 'content' | 'reasoning') =>
        deltas.map((delta) => delta[name] ?? '').join('');
      const calls = deltas.flatMap(({ tool_calls: some }) => some ?? []);
      assert.equal(joined('reasoning'), 'Naïve 思考 first 🙂.');
      assert.equal(joined('content'), 'I look.');
      assert.equal(calls.map((call) => call.function.name ?? '').join(''), 'find');
      const given = calls.map((call) => call.function.arguments ?? '').join('');
      assert.match(given, /^\{"city": "Ōsaka"\}/);
      assert.deepEqual(
        deltas.map(({ role }) => role),
        ['assistant', ...deltas.slice(1).map(() => null)],
      );
      assert.equal((choices.at(-1) as { finish_reason: string }).finish_reason, 'tool_calls');
    }),
    { numRuns: 15 },
  );
});

test('a completion cut anywhere has the text of the whole', async () => {
  const whole = await post('/v1/completions/derender', {
    generate_responses: [{ choices: [{ index: 0, token_ids: ids }] }],
  });
  const [{ text }] = whole['choices'] as [{ text: string }];
  await fc.assert(
    fc.asyncProperty(cuts, async (lengths) => {
      const choices = await streamed('/v1/completions/derender', lengths, {});
      assert.equal(choices.map((one) => (one as { text: string }).text).join(''), text);
    }),
    { numRuns: 15 },
  );
});

test('an invalid state is refused with the reason', async () => {
  const response = await fetch(`${server.url}/v1/completions/derender`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      stream: true,
      generate_chunk: { choices: [] },
      stream_state: { output_token_ids: [1], output_chunk_lens: [2] },
    }),
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /output_chunk_lens must sum to len\(output_token_ids\)/);
});
