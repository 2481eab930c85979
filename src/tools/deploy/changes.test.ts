// What a deployment would change, and how it is shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesBetween } from './changes.ts';
import { lineDiff } from './line-diff.ts';
import { type Manifest, parseManifests } from './manifests.ts';

const object = (name: string, more: object = {}): Manifest => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
  ...more,
});

test('objects are compared by kind and name', () => {
  const before = [object('same'), object('old'), object('other', { data: { a: '1' } })];
  const after = [object('new'), object('other', { data: { a: '2' } }), object('same')];
  assert.deepEqual(
    changesBetween(before, after).map(({ kind, object: name }) => `${kind} ${name}`),
    [
      'create ConfigMap new',
      'change ConfigMap other',
      'keep ConfigMap same',
      'remove ConfigMap old',
    ],
  );
});

test('a changed secret is a change, and its values are never shown', () => {
  const secret = (token: string) => object('s', { kind: 'Secret', data: { token } });
  const [change] = changesBetween([secret('c2VjcmV0')], [secret('b3RoZXI=')]);
  assert.equal(change?.kind, 'change');
  assert.doesNotMatch(JSON.stringify(change), /c2VjcmV0|b3RoZXI=/);
});

test('a diff shows three equal lines around a change', () => {
  const lines = (...words: readonly string[]) => `${words.join('\n')}\n`;
  assert.deepEqual(lineDiff(lines('a'), lines('a')), []);
  assert.deepEqual(lineDiff('', lines('a')), ['+a']);
  assert.deepEqual(
    lineDiff(
      lines('1', '2', '3', '4', '5', 'old', '6'),
      lines('1', '2', '3', '4', '5', 'new', '6'),
    ),
    ['…', ' 3', ' 4', ' 5', '-old', '+new', ' 6'],
  );
});

test('empty documents of a chart are no objects, and repeated keys are allowed as in Kubernetes', () => {
  const text = '---\n# nothing\n---\napiVersion: v1\nkind: A\nkind: B\nmetadata: {name: x}\n';
  assert.deepEqual(
    parseManifests(text).map(({ kind }) => kind),
    ['B'],
  );
});
