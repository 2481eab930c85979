// Requests in which the fuzz lane found the embedded engine to differ from real vLLM 0.32.0, by cause.
// Each row is what the real one answered: status, and the error's `param`.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/models/index.ts';

const server = await createEngineServer({
  ...{ port: 0, model: 'tiny', tokenizer: await loadTokenizer() },
  config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.01 },
  timeScale: Number.POSITIVE_INFINITY,
  ...{ dummyWeights: true, vocabularySize: 151_936 },
  ...{ enableAutoToolChoice: true, toolCallParser: 'hermes', enableScaleOut: true },
  grammarBackend: 'xgrammar',
});
after(() => server.close());

interface Answer {
  readonly error?: { readonly param: string | null; readonly type: string };
  readonly [field: string]: unknown;
}

async function post(path: string, body: object): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, answer: text.startsWith('{') ? JSON.parse(text) : {} };
}

/** Status and `param` of the answers, one line each. */
async function outcomes(path: string, bodies: readonly object[]): Promise<string[]> {
  const answers = await Promise.all(bodies.map((body) => post(path, body)));
  return answers.map(({ status, answer: { error } }) =>
    error ? `${status} ${error.param}` : `${status}`,
  );
}

const hello = [{ role: 'user', content: 'Say hello.' }];
const short = { temperature: 0, ignore_eos: true, max_tokens: 2 };

test('the engine checks the sampling parameters of generate, whatever they are for', async () => {
  const sampling: readonly (readonly [object, string])[] = [
    [{ thinking_token_budget: 5 }, '400 null'],
    [{ seed: 2 ** 64 }, '400 null'],
    [{ extra_args: { a: 2 ** 64 } }, '400 extra_args'],
    [{ stop: 'x', detokenize: false }, '400 null'],
    [{ logprobs: 1, logprob_token_ids: [1, 2] }, '400 logprob_token_ids'],
    [{ prompt_logprob_token_ids: [[1]] }, '400 prompt_logprob_token_ids'],
    [{ prompt_logprob_token_ids: 5 }, '400 body.sampling_params'],
    [{ prompt_logprob_start: 1 }, '400 prompt_logprob_start'],
    [{ trace_decode_token_ids: [1] }, '400 null'],
    [{ trace_decode_token_ids: [] }, '500 null'],
    [{ output_kind: 9 }, '400 body.sampling_params'],
    [{ output_kind: 1 }, '200'],
    [{ bad_words: [' '] }, '400 bad_words'],
    [{ routed_experts_prompt_start: 5 }, '400 routed_experts_prompt_start'],
  ];
  const bodies = sampling.map(([one]) => ({
    token_ids: [1, 2, 3],
    sampling_params: { ...short, ...one },
  }));
  assert.deepEqual(
    await outcomes('/inference/v1/generate', bodies),
    sampling.map(([, outcome]) => outcome),
  );
});

test('faults of a nested body are told in the order of its fields', async () => {
  const choices = [
    { index: 1, token_ids: [-1] },
    { index: 'x', token_ids: [5] },
  ];
  const body = { chat_request: { messages: hello }, generate_response: { choices } };
  const { answer } = await post('/v1/chat/completions/derender', body);
  assert.equal(
    answer.error?.param,
    'body.DerenderChatRequest.generate_response.choices.0.token_ids',
  );
});

test('reasoning under its old name is known to chat requests alone', async () => {
  const messages = [{ role: 'assistant', content: 'Hi', reasoning_content: 'a long thought' }];
  const plain = [{ role: 'assistant', content: 'Hi' }];
  const count = async (given: object[]) =>
    (await post('/tokenize', { messages: given })).answer['count'];
  assert.equal(await count(messages), await count(plain));
});

test('the parts of a message are looked at one by one, those of a batch at once', async () => {
  const file = { type: 'file', file: { file_id: 'x' } };
  const messages = [{ role: 'user', content: [file, null] }];
  assert.deepEqual(await outcomes('/v1/chat/completions', [{ messages }]), ['400 type']);
  const batch = { messages: [messages], max_tokens: 100_000 };
  assert.deepEqual(await outcomes('/v1/chat/completions/batch', [batch]), ['400 null']);
});

test('variables that the template gets anyway cannot be given', async () => {
  const given = ['messages', 'conversation', 'tokenizer', 'tools', 'x'];
  const bodies = given.map((name) => ({
    ...{ messages: hello, ...short },
    chat_template_kwargs: { [name]: [] },
  }));
  assert.deepEqual(await outcomes('/v1/chat/completions', bodies), [
    ...['400 null', '400 null', '400 null', '200', '200'],
  ]);
});

test('the schema of a tool counts only where it is strict', async () => {
  const tool = (strict: boolean) => ({
    type: 'function',
    function: { name: 'f', strict, parameters: { type: 'no-such-type' } },
  });
  const choice = { type: 'function', function: { name: 'f' } };
  const bodies = [false, true].map((strict) => ({
    ...{ messages: hello, ...short },
    ...{ tools: [tool(strict)], tool_choice: choice },
  }));
  assert.deepEqual(await outcomes('/v1/chat/completions', bodies), ['200', '400 null']);
});
