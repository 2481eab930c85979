import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceTargets } from './service-target.ts';

const endpoint = (name: string, more: object = {}) => ({
  ...{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name } },
  ...more,
});

test('ready pods are targets, with the port that the slice resolved', () => {
  const slice = {
    ports: [
      { name: 'metrics', port: 9000 },
      { name: 'http', port: 8000 },
    ],
    endpoints: [
      endpoint('a', { conditions: { ready: true } }),
      endpoint('b', { conditions: { ready: false } }),
      endpoint('c'),
      { addresses: ['10.0.0.9'] },
      { addresses: ['10.0.0.9'], targetRef: { kind: 'Node', name: 'n' } },
    ],
  };
  assert.deepEqual(serviceTargets([slice], 'http'), [
    { pod: 'a', port: 8000 },
    { pod: 'c', port: 8000 },
  ]);
});

test('a pod with two address families is one target, and a port without a name is found', () => {
  const slice = { ports: [{ port: 3000 }], endpoints: [endpoint('a')] };
  assert.deepEqual(serviceTargets([slice, slice], ''), [{ pod: 'a', port: 3000 }]);
});

test('a port that no slice has leads nowhere', () => {
  assert.deepEqual(serviceTargets([{ ports: [], endpoints: [endpoint('a')] }, {}], 'http'), []);
});
