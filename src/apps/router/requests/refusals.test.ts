// What a client is told in place of an engine's response.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoEndpointError, UnknownModelError } from '../../../core/routing/index.ts';
import { deadlineMessage, pickRefusal } from './refusals.ts';

test('an unknown model is the request’s mistake, with the field at fault', () => {
  const unknown = new UnknownModelError('x', ['m']);
  assert.deepEqual(pickRefusal(unknown), {
    error: { status: 404, message: unknown.message, param: 'model' },
    ...{ isModelKnown: false, isBug: false },
  });
});

test('a model whose engines are all out is refused for now', () => {
  const none = new NoEndpointError('m', new Map([['http://a', 'is dead']]));
  assert.deepEqual(pickRefusal(none), {
    error: { status: 503, message: none.message },
    ...{ isModelKnown: true, isBug: false },
  });
});

test('anything else is the router’s fault, and its client learns no details', () => {
  for (const thrown of [new Error('secret'), 'secret', undefined]) {
    const { error, isBug, isModelKnown } = pickRefusal(thrown);
    assert.deepEqual([error.status, isBug, isModelKnown], [500, true, true]);
    assert.doesNotMatch(error.message, /secret/);
  }
});

test('a deadline is named with the time that was waited', () => {
  assert.equal(deadlineMessage('firstByte', 1.234), 'no response within 1.23 s');
  assert.equal(deadlineMessage('streamIdle', 60), 'no data for 60.00 s');
  assert.equal(
    deadlineMessage('engineStall', 10),
    'no data on any stream of the engine for 10.00 s',
  );
  assert.equal(deadlineMessage('total', 0), 'the time for the request is over');
});
