import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subchartValues } from './subchart-values.ts';

const file = (name: string, text: string) => ({ name, text });

test('the part of each file is what Helm would hand down, with its nulls', () => {
  const files = [
    file(
      'a.yaml',
      'vllm: {routerSpec: {replicaCount: "2", enableRouter: yes, tag: null}}\ndb: {x: 1}\n',
    ),
    file('b.yaml', 'db: {x: 2}\n'),
  ];
  assert.deepEqual(subchartValues(files, 'vllm'), [
    { routerSpec: { replicaCount: '2', enableRouter: true, tag: null } },
    {},
  ]);
  assert.deepEqual(subchartValues([file('c.yaml', 'a: {b.c: {x: 1}}\n')], 'a.b\\.c'), [{ x: 1 }]);
});

test('without the part, the sentence says what there is', () => {
  assert.throws(
    () => subchartValues([file('a.yaml', 'db: {x: 1}\n')], 'vllm'),
    /a\.yaml: --subchart vllm: no file has this key; at the top are db\.$/,
  );
});
