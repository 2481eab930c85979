// Lists and watches as API servers send them, and what is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListPage, parseWatchEvent, statusMessage } from './api-objects.ts';
import { textAt } from './json-fields.ts';

const read = (object: unknown) => textAt(object, 'spec');

test('a page has the objects by their keys, the version, and where the next page begins', () => {
  const page = {
    kind: 'PodList',
    metadata: { resourceVersion: '17', continue: 'abc' },
    items: [{ metadata: { namespace: 'ns', name: 'a' }, spec: 'S' }],
  };
  assert.deepEqual(parseListPage(JSON.stringify(page), read), {
    objects: [['ns/a', 'S']],
    resourceVersion: '17',
    continueToken: 'abc',
  });
});

test('a list without items is null in Go', () => {
  const empty = '{"metadata":{"resourceVersion":"3","continue":""},"items":null}';
  assert.deepEqual(parseListPage(empty, read), {
    ...{ objects: [], resourceVersion: '3', continueToken: undefined },
  });
});

test('events of a watch', () => {
  const object = { metadata: { namespace: 'ns', name: 'a', resourceVersion: '4' }, spec: 'S' };
  const parse = (type: string) => parseWatchEvent(JSON.stringify({ type, object }), read);
  const applied = { kind: 'applied', key: 'ns/a', object: 'S', resourceVersion: '4' };
  assert.deepEqual(parse('ADDED'), applied);
  assert.deepEqual(parse('MODIFIED'), applied);
  assert.deepEqual(parse('DELETED'), { kind: 'deleted', key: 'ns/a', resourceVersion: '4' });
  const bookmark =
    '{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"12746"}}}';
  assert.deepEqual(parseWatchEvent(bookmark, read), { kind: 'bookmark', resourceVersion: '12746' });
  const error =
    '{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version: 1 (7)"}}';
  assert.deepEqual(parseWatchEvent(error, read), {
    ...{ kind: 'error', status: 410, message: 'too old resource version: 1 (7)' },
  });
});

test('anything else is refused with one sentence', () => {
  const named = { name: 'a', resourceVersion: '1' };
  for (const line of [
    'garbage',
    '[]',
    '7',
    '{"type":"ADDED"}',
    JSON.stringify({ type: 'RENAMED', object: { metadata: named } }),
    JSON.stringify({ type: 'ADDED', object: { metadata: { resourceVersion: '1' } } }),
    JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'a' } } }),
  ]) {
    assert.throws(() => parseWatchEvent(line, read), /^ClusterProtocolError: the API server sent /);
  }
  for (const text of [
    '<html>',
    '{}',
    '{"metadata":{"resourceVersion":"1"},"items":{}}',
    '{"metadata":{},"items":[]}',
    '{"metadata":{"resourceVersion":"1"},"items":[{}]}',
  ]) {
    assert.throws(() => parseListPage(text, read), /^ClusterProtocolError: the API server sent /);
  }
});

test('the sentence of an error is taken from its status object', () => {
  assert.equal(
    statusMessage('{"kind":"Status","message":"pods is forbidden"}'),
    'pods is forbidden',
  );
  assert.equal(statusMessage('upstream connect error'), '');
});
