// What a client is told in place of an engine's response.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoEndpointError, UnknownModelError } from '../../../core/routing/index.ts';
import type { ProxyTarget } from './proxy-target.ts';
import { deadlineMessage, pickRefusal } from './refusals.ts';

const shown = { name: 'engine-1', label: 'engine-1' };
const clients = (isOpen: boolean) => ({
  sight: { isOpen },
  target: () => ({ shown }) as ProxyTarget,
});

test('an unknown model is the request’s mistake, with the field at fault', () => {
  const unknown = new UnknownModelError('x', ['m']);
  assert.deepEqual(pickRefusal(unknown, clients(true)), {
    error: { status: 404, message: unknown.message, param: 'model' },
    ...{ isModelKnown: false, isBug: false },
  });
});

test('a model whose engines are all out is refused for now', () => {
  const none = new NoEndpointError('m', new Map([['http://a', 'is dead']]));
  assert.deepEqual(pickRefusal(none, clients(true)), {
    error: { status: 503, message: none.message },
    ...{ isModelKnown: true, isBug: false },
  });
});

test('clients that see no URLs learn which engines are out, and nothing of the network', () => {
  const why = 'is dead (/health: connect ECONNREFUSED 10.0.0.1:8000)';
  const none = new NoEndpointError('m', new Map([['http://10.0.0.1:8000', why]]));
  assert.equal(
    pickRefusal(none, clients(false)).error.message,
    'No engine can serve model "m" now: engine-1 is dead. Retry later.',
  );
  const silent = new Map([['http://10.0.0.1:8000', 'connect ECONNREFUSED 10.0.0.1:8000']]);
  assert.equal(
    pickRefusal(new UnknownModelError('x', ['m'], silent), clients(false)).error.message,
    'The model "x" does not exist here; known: m, and no list from engine-1.',
  );
});

test('anything else is the router’s fault, and its client learns no details', () => {
  for (const thrown of [new Error('secret'), 'secret', undefined]) {
    const { error, isBug, isModelKnown } = pickRefusal(thrown, clients(true));
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
