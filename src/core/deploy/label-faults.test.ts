import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelFaults } from './label-faults.ts';

const places = (values: unknown) => labelFaults(values).map(({ path }) => path.join('.'));

test('labels are checked wherever they are, with their keys', () => {
  const long = 'x'.repeat(64);
  const values = {
    routerSpec: {
      labels: { team: 'a b', ok: 'A_b.c-1', empty: '' },
      nodeSelector: { [long]: 'x' },
    },
    servingEngineSpec: { modelSpec: [{ podLabels: { 'a/b/c': 'x', 'example.com/a': long } }] },
    observability: { dashboards: { labels: { 'UPPER.com/a': 'x' } } },
  };
  assert.deepEqual(places(values), [
    'routerSpec.labels.team',
    `routerSpec.nodeSelector.${long}`,
    'servingEngineSpec.modelSpec.0.podLabels.a/b/c',
    'servingEngineSpec.modelSpec.0.podLabels.example.com/a',
    'observability.dashboards.labels.UPPER.com/a',
  ]);
});

test('annotations may have any text, below keys like those of labels', () => {
  const annotations = { 'example.com/note': 'any text: "x"', 'a b': 'x' };
  assert.deepEqual(places({ routerSpec: { podAnnotations: annotations } }), [
    'routerSpec.podAnnotations.a b',
  ]);
});

test('expressions of selectors and tolerations have labels, too', () => {
  const matchExpressions = [{ key: 'gpu', operator: 'In', values: ['H100', 'a/b'] }];
  const tolerations = [
    { operator: 'Exists' },
    { key: '', operator: 'Exists' },
    { key: 'nvidia.com/gpu', operator: 'Equal', value: 'not here' },
  ];
  assert.deepEqual(places({ a: { nodeSelectorTerms: [{ matchExpressions }], tolerations } }), [
    'a.nodeSelectorTerms.0.matchExpressions.0.values.1',
    'a.tolerations.2.value',
  ]);
});

test('charts below and objects that go to Kubernetes unchanged are left alone', () => {
  const labels = { a: 'b c' };
  assert.deepEqual(places({ 'kube-prometheus-stack': { labels }, extraObjects: [{ labels }] }), []);
});
