// What clients read in an error response.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiErrorJson } from './openai-error.ts';

const errorOf = (status: number, fields: object = {}) =>
  JSON.parse(openAiErrorJson({ status, message: 'why', ...fields })).error as object;

test('an error has its message, its type as vLLM names it, the field at fault and its status as code', () => {
  assert.deepEqual(errorOf(404, { param: 'model' }), {
    ...{ message: 'why', type: 'NotFoundError', param: 'model', code: 404 },
  });
  assert.deepEqual(errorOf(503, { code: 'queue_full' }), {
    ...{ message: 'why', type: 'ServiceUnavailableError', param: null, code: 'queue_full' },
  });
});

test('a status without a type of its own has that of its kind', () => {
  const typeOf = (status: number) => (errorOf(status) as { readonly type: string }).type;
  assert.deepEqual([418, 499].map(typeOf), ['BadRequestError', 'BadRequestError']);
  assert.deepEqual([500, 507].map(typeOf), ['InternalServerError', 'InternalServerError']);
});
