// Which pods and Services are engines, and where they are reached.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EnginePod, enginesOfPods, readEnginePod } from './engine-pods.ts';
import { enginesOfServices, readEngineService, readServiceSlice } from './engine-services.ts';

const ready = {
  metadata: { namespace: 'ns', name: 'a', creationTimestamp: '2026-11-23T08:00:00Z' },
  status: {
    phase: 'Running',
    podIP: '10.0.0.1',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'True' },
    ],
  },
};

test('a ready pod is an engine, and bears the pod’s name', () => {
  assert.deepEqual(enginesOf(ready), [{ url: 'http://10.0.0.1:8000', name: 'a' }]);
});

test('a pod that is not ready, is being deleted, has ended or has no address is none', () => {
  const unready = [{ type: 'Ready', status: 'False' }];
  const deletionTimestamp = '2026-11-23T08:00:01Z';
  for (const pod of [
    { ...ready, status: { ...ready.status, conditions: unready } },
    { ...ready, status: { ...ready.status, conditions: [] } },
    { ...ready, metadata: { ...ready.metadata, deletionTimestamp } },
    { ...ready, status: { ...ready.status, phase: 'Failed' } },
    { ...ready, status: { ...ready.status, phase: 'Succeeded' } },
    { ...ready, status: { ...ready.status, podIP: undefined } },
    {},
    null,
    { metadata: 7, status: { conditions: 'Ready' } },
  ]) {
    assert.deepEqual(enginesOf(pod), [], JSON.stringify(pod));
  }
});

test('the condition of the pod counts, not its containers: a lost node turns only the condition', () => {
  const status = {
    ...ready.status,
    conditions: [{ type: 'Ready', status: 'False', reason: 'NodeLost' }],
    containerStatuses: [{ ready: true }],
  };
  assert.deepEqual(enginesOf({ ...ready, status }), []);
});

test('an address of IPv6 is written in brackets', () => {
  const pod = { ...ready, status: { ...ready.status, podIP: 'fd00::7' } };
  assert.deepEqual(enginesOf(pod), [{ url: 'http://[fd00::7]:8000', name: 'a' }]);
});

test('of two pods with one address the younger one is the engine', () => {
  const one = readEnginePod(ready);
  const younger: EnginePod = { ...one, name: 'b', createdAt: '2026-11-23T09:00:00Z' };
  for (const pods of [
    [one, younger],
    [younger, one],
  ]) {
    assert.deepEqual(enginesOfPods(pods, 8000, false), [
      { url: 'http://10.0.0.1:8000', name: 'b' },
    ]);
  }
});

test('names begin with the namespace where there are several', () => {
  assert.equal(enginesOfPods([readEnginePod(ready)], 8000, true)[0]?.name, 'ns/a');
});

test('a Service with a ready endpoint is an engine, at a name that resolves in every namespace', () => {
  const slices = [
    slice('a', [{ conditions: { ready: false } }]),
    slice('a', [{ conditions: { ready: true } }]),
  ];
  assert.deepEqual(servicesOf([service([{ port: 8000 }])], slices), [
    { url: 'http://a.ns:8000', name: 'a' },
  ]);
  assert.deepEqual(servicesOf([service([{ port: 8000 }])], slices.slice(0, 1)), []);
  assert.deepEqual(servicesOf([service([{ port: 8000 }])], [slice('other', [{}])]), []);
});

test('an endpoint that says nothing about its readiness is ready', () => {
  assert.equal(readServiceSlice(slice('a', [{ addresses: ['10.0.0.1'] }])).hasReady, true);
  assert.equal(readServiceSlice(slice('a', [])).hasReady, false);
  assert.equal(readServiceSlice({ endpoints: null }).hasReady, false);
});

test('a Service is reached on the wanted port, on the port that leads there, or on its only one', () => {
  const urlOf = (...ports: object[]) => servicesOf([service(ports)], [slice('a', [{}])])[0]?.url;
  const metrics = { port: 9000, targetPort: 9000 };
  assert.equal(urlOf(metrics, { port: 8000, targetPort: 80 }), 'http://a.ns:8000');
  assert.equal(urlOf(metrics, { port: 80, targetPort: 8000 }), 'http://a.ns:80');
  assert.equal(urlOf({ port: 80, targetPort: 'http' }), 'http://a.ns:80');
  assert.equal(urlOf(metrics, { port: 80, targetPort: 'http' }), 'http://a.ns:8000');
});

function enginesOf(pod: unknown) {
  return enginesOfPods([readEnginePod(pod)], 8000, false);
}

function servicesOf(services: readonly object[], slices: readonly object[]) {
  return enginesOfServices(
    services.map(readEngineService),
    slices.map(readServiceSlice),
    8000,
    false,
  );
}

function service(ports: readonly object[]) {
  return { metadata: { namespace: 'ns', name: 'a' }, spec: { ports } };
}

function slice(name: string, endpoints: readonly object[]) {
  return {
    metadata: {
      namespace: 'ns',
      name: `${name}-x1`,
      labels: { 'kubernetes.io/service-name': name },
    },
    endpoints,
  };
}
