import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseStore } from './response-store.ts';
import { StoredResponse } from './stored-response.ts';

test('removes the oldest response when there are too many, those in progress last', () => {
  const store = new ResponseStore({ responsesMax: 2, charactersMax: 1e6 });
  store.put('running', new StoredResponse({}, []));
  store.keep('a', { id: 'a' }, []);
  store.keep('b', { id: 'b' }, []);
  assert.deepEqual(
    ['running', 'a', 'b'].map((id) => store.get(id) !== undefined),
    [true, false, true],
  );
});

test('removes long conversations by their length', () => {
  const store = new ResponseStore({ responsesMax: 10, charactersMax: 1000 });
  const messages = [{ role: 'user', content: 'x'.repeat(700) }];
  store.keep('a', {}, messages);
  store.keep('b', {}, messages);
  assert.equal(store.get('a'), undefined);
  assert.notEqual(store.get('b'), undefined);
});

test('a cancelled response stays cancelled', () => {
  const stored = new StoredResponse({ id: 'a', status: 'queued' }, []);
  stored.end('cancelled');
  stored.finish({ id: 'a', status: 'completed' });
  assert.deepEqual(stored.response, { id: 'a', status: 'cancelled' });
});
