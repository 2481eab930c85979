import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { contentFault } from './chat-message.ts';
import { readChatRequest } from './chat-request.ts';
import { promptsOf, readCompletionRequest } from './completion-request.ts';
import { checkBiasedTokens, checkSamplingValues } from './sampling.ts';

// Bodies and messages are those of a recorded vLLM 0.32.0.
const messages = [{ role: 'user', content: 'Hi' }];

test('reports all faults of a body in one message, in the order of the fields', () => {
  const error = refused(() =>
    readChatRequest({ messages, temperature: 'y', max_tokens: 'x', n: 'z' }),
  );
  assert.equal(error.type, 'Bad Request');
  assert.equal(error.param, 'body.max_tokens');
  assert.equal(
    error.message,
    [
      '3 validation errors:',
      "  {'type': 'int_parsing', 'loc': 'body.max_tokens', 'msg': 'Input should be a valid integer, unable to parse string as an integer', 'input': 'x'}",
      "  {'type': 'int_parsing', 'loc': 'body.n', 'msg': 'Input should be a valid integer, unable to parse string as an integer', 'input': 'z'}",
      "  {'type': 'float_parsing', 'loc': 'body.temperature', 'msg': 'Input should be a valid number, unable to parse string as a number', 'input': 'y'}",
    ].join('\n'),
  );
});

test('reports the faults of every alternative of a union', () => {
  const error = refused(() => readCompletionRequest({ prompt: [-5] }));
  assert.equal(
    error.message,
    [
      '4 validation errors:',
      "  {'type': 'greater_than_equal', 'loc': 'body.prompt.0', 'msg': 'Input should be greater than or equal to 0', 'input': '-5', 'ctx': {'ge': 0}}",
      "  {'type': 'list_type', 'loc': 'body.prompt.0', 'msg': 'Input should be a valid list', 'input': '-5'}",
      "  {'type': 'string_type', 'loc': 'body.prompt', 'msg': 'Input should be a valid string', 'input': '<list of 1 items>'}",
      "  {'type': 'string_type', 'loc': 'body.prompt.0', 'msg': 'Input should be a valid string', 'input': '-5'}",
    ].join('\n'),
  );
});

test('reports a missing nested field with its path', () => {
  const tools = [{ type: 'function', function: { parameters: {} } }];
  assert.equal(
    refused(() => readChatRequest({ messages, tools })).param,
    'body.tools.0.function.name',
  );
});

test('parses numbers in strings, and ignores unknown fields', () => {
  const request = readChatRequest({ messages, max_tokens: '3', seed: 2.0, frobnicate: true });
  assert.deepEqual([request.max_tokens, request.seed, 'frobnicate' in request], [3, 2, false]);
});

test('errors of checks beyond the schema name their parameter', () => {
  const cases: [object, string, string][] = [
    [
      { stream_options: { include_usage: true } },
      'Stream options can only be defined when `stream=True`. (parameter=stream_options)',
      'stream_options',
    ],
    [
      { top_logprobs: 3 },
      'when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)',
      'top_logprobs',
    ],
    [
      { tool_choice: 'required' },
      'When using `tool_choice`, `tools` must be set. (parameter=tool_choice)',
      'tool_choice',
    ],
    [
      { cache_salt: '' },
      "Parameter 'cache_salt' must be a non-empty string if provided. (parameter=cache_salt)",
      'cache_salt',
    ],
  ];
  for (const [fields, message, param] of cases) {
    const error = refused(() => readChatRequest({ messages, ...fields }));
    assert.deepEqual(
      [error.httpStatus, error.type, error.message, error.param],
      [400, 'BadRequestError', message, param],
    );
  }
});

test('refuses sampling parameters with vLLM’s messages', () => {
  const check = (fields: object) => {
    checkSamplingValues(fields, 2);
    checkBiasedTokens(fields, 151_936);
  };
  const sentences: [object, string][] = [
    [
      { temperature: 2.5 },
      'temperature must be in [0, 2], got 2.5. (parameter=temperature, value=2.5)',
    ],
    [{ top_p: 0 }, 'top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)'],
    [{ top_k: -2 }, 'top_k must be 0 (disable), or at least 1, got -2.'],
    [{ presence_penalty: 3 }, 'presence_penalty must be in [-2, 2], got 3.0.'],
    [{ n: 0 }, 'n must be at least 1, got 0.'],
    [{ n: 2, temperature: 0 }, 'n must be 1 when using greedy sampling, got 2.'],
    [{ min_tokens: 10 }, 'min_tokens must be less than or equal to max_tokens=2, got 10.'],
    [{ stop: [''] }, 'stop cannot contain an empty string.'],
    [
      { logit_bias: { 9999999: 1 } },
      'token_id(s) [9999999] in logit_bias contain out-of-vocab token ids. Vocabulary size: 151936 (parameter=logit_bias, value=[9999999])',
    ],
  ];
  for (const [fields, sentence] of sentences) {
    assert.equal(refused(() => check(fields)).message, sentence);
  }
});

test('formats numbers in messages as Python does', () => {
  const said = (top_p: number) => refused(() => checkSamplingValues({ top_p }, 2)).message;
  assert.match(said(2), /got 2\.0\./);
  assert.match(said(-(2 ** 64)), /got -1\.8446744073709552e\+19\./);
  assert.match(said(-0.00001), /got -1e-05\./);
});

test('parses the parts of a message by the type that reads most fields, and keeps them', () => {
  const read = (content: unknown, role = 'user') =>
    readChatRequest({ messages: [{ role, content }] }).messages?.[0];
  const faultOf = (content: unknown, role?: string) =>
    contentFault(read(content, role) ?? {})?.report;
  assert.equal(faultOf([{ type: 'text', text: 'a' }]), undefined);
  assert.equal(faultOf([{ type: 'refusal', refusal: 'no' }]), undefined);
  assert.equal(faultOf([{ type: 'input_text', text: 'a' }], 'critic'), undefined);
  assert.equal(
    faultOf([{ type: 'input_text', text: 'a' }], 'system'),
    "1 validation error for ValidatorIterator\n0.type\n  Input should be 'text' [type=literal_error, input_value='input_text', input_type=str]\n    For further information visit https://errors.pydantic.dev/2.14/v/literal_error",
  );
  assert.match(String(faultOf(['bare'])), /^4 validation errors for ValidatorIterator\n0\.Chat/);
});

test('a prompt is text, tokens, or a list of either', () => {
  assert.deepEqual(promptsOf('a'), ['a']);
  assert.deepEqual(promptsOf([1, 2]), [[1, 2]]);
  assert.deepEqual(promptsOf([[1], [2, 3]]), [[1], [2, 3]]);
  assert.deepEqual(promptsOf(['a', 'b']), ['a', 'b']);
  assert.equal(refused(() => promptsOf([])).message, 'You must pass at least one prompt');
});

function refused(read: () => unknown): ApiError {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  return assert.fail('nothing was refused');
}
