// States of components and of a whole stack.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { componentState } from './component.ts';
import { isSelected, readEvent, readPod, readWorkload } from './observed.ts';
import { stackState } from './stack-state.ts';

const engineLabels = { 'app.kubernetes.io/component': 'serving-engine', model: 'qwen' };

interface Numbers {
  readonly replicas?: number;
  readonly ready?: number;
  readonly updated?: number;
  readonly all?: number;
  readonly seen?: number;
  readonly conditions?: readonly object[];
}

function workload(numbers: Numbers = {}, name = 'vllm-qwen-deployment-vllm') {
  const { replicas = 2, ready = 0, updated = replicas, all = replicas, seen = 3 } = numbers;
  return readWorkload({
    ...{ kind: 'Deployment', metadata: { name, generation: 3 } },
    spec: { replicas, selector: { matchLabels: { model: 'qwen' } } },
    status: {
      ...{ readyReplicas: ready, updatedReplicas: updated, replicas: all },
      ...{ observedGeneration: seen, conditions: numbers.conditions ?? [] },
    },
  });
}

function stateOf(
  numbers: Numbers,
  pods: readonly object[] = [],
  labels: Record<string, string> = engineLabels,
) {
  const of = { workload: workload(numbers), labels, pods: pods.map(readPod) };
  return componentState({ ...of, events: [], logs: new Map() });
}

const waitingPod = (name: string, reason: string) => ({
  metadata: { name },
  spec: { nodeName: 'n' },
  status: {
    phase: 'Pending',
    containerStatuses: [
      { name: 'vllm', image: 'i', state: { waiting: { reason, message: 'not found' } } },
    ],
  },
});

test('a component is ready when all pods of the newest template are, and no others are left', () => {
  assert.equal(stateOf({ ready: 2 }).health, 'ready');
  assert.equal(stateOf({ ready: 1 }).health, 'starting');
  assert.equal(stateOf({ ready: 2, updated: 1 }).reason, 'rolling out');
  assert.equal(stateOf({ ready: 2, all: 3 }).health, 'starting');
  assert.equal(stateOf({ ready: 2, seen: 2 }).health, 'starting');
  assert.equal(stateOf({ replicas: 0 }).health, 'ready');
});

test('the worst pod tells the reason, and is listed first', () => {
  const state = stateOf({ ready: 0 }, [
    waitingPod('a', 'ContainerCreating'),
    waitingPod('b', 'ImagePullBackOff'),
  ]);
  assert.deepEqual([state.health, state.cause], ['failed', 'image']);
  assert.deepEqual(
    state.pods.map(({ pod }) => pod),
    ['b', 'a'],
  );
});

test('a quota that refuses pods is the reason', () => {
  const message = 'pods "x" is forbidden: exceeded quota: small';
  const state = stateOf({ conditions: [{ type: 'ReplicaFailure', status: 'True', message }] });
  assert.deepEqual([state.health, state.cause, state.reason], ['failed', 'quota', message]);
  assert.match(state.next, /^raise the namespace's quota/);
});

test('roles are known by labels, and by names of charts without them', () => {
  const of = (name: string, labels: Record<string, string>) => {
    const state = componentState({
      ...{ workload: workload({}, name), labels, pods: [], events: [], logs: new Map() },
    });
    return [state.role, state.name];
  };
  assert.deepEqual(of('x', engineLabels), ['engine', 'engine qwen']);
  assert.deepEqual(of('x', { environment: 'router' }), ['router', 'router']);
  assert.deepEqual(of('v-deployment-router', {}), ['router', 'router']);
  assert.deepEqual(of('v-a-deployment-vllm', {}), ['engine', 'engine v-a-deployment-vllm']);
  assert.deepEqual(of('v-deployment-cache-server', {}), ['cache server', 'cache server']);
  assert.deepEqual(of('other', {}), ['other', 'other']);
});

test('a Ray cluster counts its head, and is ready when Ray says so', () => {
  const ray = (state: string) =>
    readWorkload({
      ...{ kind: 'RayCluster', metadata: { name: 'r' }, status: { state } },
      spec: { workerGroupSpecs: [{ replicas: 2 }, { replicas: 1 }] },
    });
  assert.deepEqual([ray('ready').wanted, ray('ready').isRolledOut], [4, true]);
  assert.equal(ray('').isRolledOut, false);
});

test('a stack is as healthy as its worst component', () => {
  const ready = stateOf({ ready: 2 });
  const starting = stateOf({ ready: 1 });
  const failed = stateOf({}, [waitingPod('b', 'InvalidImageName')]);
  assert.equal(stackState([ready, ready]).health, 'ready');
  assert.equal(stackState([ready, starting]).summary, '1 of 2 components is ready.');
  assert.equal(stackState([starting, failed, ready]).health, 'failed');
  assert.equal(stackState([]).health, 'waiting');
});

test('an empty selector selects nothing', () => {
  assert.equal(isSelected({ a: '1', b: '2' }, { a: '1' }), true);
  assert.equal(isSelected({ a: '2' }, { a: '1' }), false);
  assert.equal(isSelected({ a: '1' }, {}), false);
});

test('an event without a last time has that of its creation', () => {
  const at = (event: object) => readEvent(event).at;
  const metadata = { creationTimestamp: '2026-01-01T00:00:00Z' };
  assert.equal(at({ metadata, lastTimestamp: null, eventTime: null }), '2026-01-01T00:00:00Z');
  assert.equal(at({ metadata, lastTimestamp: '2026-01-02T00:00:00Z' }), '2026-01-02T00:00:00Z');
});
