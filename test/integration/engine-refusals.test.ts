// Requests in which the fuzz lane found the embedded engine to differ from real vLLM 0.32.0, by cause.
// Each row is what the real one answered: status, and the error's `param`.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

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
    [{ thinking_token_budget: -1 }, '200'],
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

test('faults of a nested body are reported in the order of its fields', async () => {
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

test('prompt tokens from another server are used instead of the messages', async () => {
  const given: readonly (readonly [unknown, string])[] = [
    [[1, 2, 3], '200'],
    [null, '200'],
    [[], '400 kv_transfer_params.prompt_token_ids'],
    [['x'], '400 kv_transfer_params.prompt_token_ids'],
    [[151_936], '400 kv_transfer_params.prompt_token_ids'],
  ];
  const bodies = given.map(([prompt_token_ids]) => ({
    ...{ messages: hello, ...short },
    kv_transfer_params: { prompt_token_ids },
  }));
  assert.deepEqual(
    await outcomes('/v1/chat/completions', bodies),
    given.map(([, outcome]) => outcome),
  );
  const { answer } = await post('/v1/chat/completions', bodies[0] ?? {});
  assert.equal((answer['usage'] as { prompt_tokens: number }).prompt_tokens, 3);
});

test('a message of another format is read, and cannot be rendered', async () => {
  const messages = [{ author: { role: 'user' }, content: [{ type: 'text', text: 'x' }] }];
  assert.deepEqual(await outcomes('/tokenize', [{ messages }]), ['400 null']);
  const strange = [{ author: { role: 'nobody' }, content: [] }];
  assert.deepEqual(await outcomes('/v1/chat/completions', [{ messages: strange }]), [
    '400 body.messages.0.ChatCompletionDeveloperMessageParam.role',
  ]);
});

test('the calls of a message are looked at wherever it is rendered', async () => {
  const messages = ['x', [5], [{ id: 'a', type: 'function', function: {} }]].map((tool_calls) => [
    { role: 'assistant', content: null, tool_calls },
  ]);
  const bodies = messages.map((one) => ({ messages: one }));
  assert.deepEqual(await outcomes('/tokenize', bodies), ['400 null', '400 null', '400 null']);
});

test('items and tools of a response are read by the types of OpenAI', async () => {
  const said = { type: 'message', role: 'assistant' };
  const items: readonly (readonly [object, string])[] = [
    [{ type: 'compaction', encrypted_content: 'x' }, '400 input'],
    [{ id: 'x' }, '400 input'],
    [{ type: 'function_call', call_id: 'c' }, '400 body.input'],
    [{ type: 'reasoning' }, '400 body.input'],
    [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'so' }] }, '200'],
    [{ type: 'custom_tool_call', call_id: 'c', name: 'n', input: 'x' }, '200'],
    [{ ...said, content: [{ type: 'output_text', text: 'x' }] }, '200'],
    [{ role: 'assistant', content: [{ type: 'output_text', text: 'x' }] }, '400 body.input'],
    [{ ...said, content: [] }, '500 null'],
    [{ role: 'user', content: [{ type: 'input_text' }] }, '400 body.input'],
  ];
  const limits = { max_output_tokens: 2, ignore_eos: true };
  const asked = items.map(([item]) => ({ ...limits, input: [item] }));
  assert.deepEqual(
    await outcomes('/v1/responses', asked),
    items.map(([, outcome]) => outcome),
  );
  const tools: readonly (readonly [object, string])[] = [
    [{ type: 'programmatic_tool_calling' }, '200'],
    [{ type: 'file_search' }, '400 body.tools.0.FunctionTool.name'],
    [{ type: 'custom', name: 'c', format: { type: 'grammar' } }, '400 tools'],
  ];
  const given = tools.map(([tool]) => ({ ...limits, input: 'Hi', tools: [tool] }));
  assert.deepEqual(
    await outcomes('/v1/responses', given),
    tools.map(([, outcome]) => outcome),
  );
  const { answer } = await post('/v1/responses', {
    ...{ ...limits, input: 'Hi' },
    tools: [{ type: 'web_search' }],
  });
  assert.deepEqual(Object.keys((answer['tools'] as [object])[0]).toSorted(), [
    ...['external_web_access', 'filters', 'search_context_size', 'type', 'user_location'],
  ]);
});

test('questions are answered by the shares of their labels', async () => {
  const questions = {
    warm: { type: 'noul', instructions: 'is it?' },
    which: { type: 'choice', criteria: { a: 'x', b: null } },
    how: { type: 'score', criteria: ['bad', 'good'] },
  };
  const { status, answer } = await post('/v1/systemone', { state: { a: 1 }, questions });
  assert.equal(status, 200);
  const usage = answer['usage'] as { input_tokens: number; output_tokens: number };
  // As many as the real one counted.
  const { answer: first } = await post('/v1/systemone', {
    state: { a: 1 },
    questions: { q: questions.warm },
  });
  assert.equal((first['usage'] as typeof usage).input_tokens, 34);
  assert.equal(usage.output_tokens, 3);
  const answers = Object.values(answer['answers'] as Record<string, { probabilities: object }>);
  for (const { probabilities } of answers) {
    const total = Object.values(probabilities).reduce((sum: number, one) => sum + Number(one), 0);
    assert.ok(Math.abs(total - 1) < 1e-9);
  }
  const refused = [
    { type: 'noul', x: 1 },
    { type: 'choice' },
    { type: 'score', criteria: ['one'] },
  ];
  assert.deepEqual(
    await outcomes(
      '/v1/systemone',
      refused.map((question) => ({ state: '', questions: { q: question } })),
    ),
    ['400 null', '400 null', '400 null'],
  );
});

test('what does not fit the context is refused where it is counted, and cut where the client says so', async () => {
  const long = 'past the context '.repeat(3000);
  const counted = { model: 'tiny', messages: [{ role: 'user', content: long }] };
  assert.equal((await post('/v1/messages/count_tokens', counted)).status, 400);
  const asked = { max_output_tokens: 2, ignore_eos: true, input: long };
  assert.deepEqual(await outcomes('/v1/responses', [asked, { ...asked, truncation: 'auto' }]), [
    ...['400 input_tokens', '200'],
  ]);
});

test('numbers that equal a truth value choose between the forms of a body', async () => {
  const body = { generate_chunk: { choices: [{ index: 0, token_ids: [9707] }] } };
  assert.deepEqual(
    await outcomes('/v1/completions/derender', [
      { ...body, stream: 1 },
      { ...body, stream: 2 },
    ]),
    ['200', '400 body.stream'],
  );
});

test('each response of a batch continues in the role of its own conversation', async () => {
  const conversations = ['user', 'system', 'assistant'].map((role) => [{ role, content: 'Hi' }]);
  const { answer } = await post('/v1/chat/completions/batch', {
    ...{ messages: conversations, add_generation_prompt: false, max_tokens: 1 },
  });
  const choices = answer['choices'] as { readonly message: { readonly role: string } }[];
  assert.deepEqual(
    choices.map(({ message }) => message.role),
    ['user', 'system', 'assistant'],
  );
});

test('a stream without reasoning says so in each of its deltas', async () => {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: hello, ...short, stream: true, include_reasoning: false }),
  });
  const deltas = [...(await response.text()).matchAll(/"delta":(\{[^}]*\})/g)];
  assert.deepEqual(
    deltas.map(([, delta]) => Object.keys(JSON.parse(String(delta)))),
    [
      ['role', 'content'],
      ['content', 'reasoning'],
      ['content', 'reasoning'],
    ],
  );
});

test('a rendered request says all sizes of its repetition detection', async () => {
  const body = { prompt: 'Hi', max_tokens: 2, repetition_detection: { max_pattern_size: 0 } };
  const response = await fetch(`${server.url}/v1/completions/render`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const [rendered] = (await response.json()) as { readonly sampling_params: object }[];
  assert.deepEqual((Object(rendered?.sampling_params) as Answer)['repetition_detection'], {
    max_pattern_size: 0,
    min_pattern_size: 0,
    min_count: 0,
  });
});

test('a response is made a conversation before its settings of media are looked at', async () => {
  const body = { model: 'tiny', max_output_tokens: 2, mm_processor_kwargs: { a: 1 } };
  const said = (content: object) => ({ type: 'message', role: 'assistant', content: [content] });
  const inputs = [
    said({ type: 'refusal', refusal: 'no' }),
    said({ type: 'output_text', text: 'yes' }),
  ];
  assert.deepEqual(
    await outcomes(
      '/v1/responses',
      inputs.map((input) => ({ ...body, input: [input] })),
    ),
    ['500 null', '400 mm_processor_kwargs'],
  );
});

test('the engine refuses the tag of a route that does not look at it', async () => {
  const body = { input: 'Hi', max_output_tokens: 2, structured_outputs: { structural_tag: '{}' } };
  assert.deepEqual(await outcomes('/v1/responses', [body]), ['400 null']);
});

test('a batch is asked for as a stream in any spelling of true', async () => {
  const body = { messages: [hello, hello], ...short };
  const answers = await Promise.all(
    [true, 'true', 1, 'no'].map((stream) =>
      post('/v1/chat/completions/batch', { ...body, stream }),
    ),
  );
  const usages = answers.map(({ answer }) => (answer['usage'] as Answer)['completion_tokens']);
  assert.equal(new Set(usages.slice(0, 3)).size, 1);
  assert.notEqual(usages[0], usages[3]);
});

test('a budget of thinking written with an exponent is a float, which no budget is', async () => {
  const bodies = [5, 1e300].map((budget) => ({
    messages: [hello],
    ...short,
    ignore_eos: 'x',
    thinking_token_budget: budget,
  }));
  assert.deepEqual(await outcomes('/v1/chat/completions/batch', bodies), [
    '400 null',
    '400 thinking_token_budget',
  ]);
});
