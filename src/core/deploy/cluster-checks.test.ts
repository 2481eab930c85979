// Findings of the doctor about clusters, from objects as an API server has them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkGpus, checkRights, checkRoom, checkStorage } from './cluster-checks.ts';
import { readNode, readRequests } from './nodes.ts';
import { wantedEngines } from './wanted-engines.ts';

const node = (name: string, more: { readonly gpus?: string; readonly labels?: object } = {}) =>
  readNode({
    metadata: { name, labels: more.labels ?? {} },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      allocatable: {
        ...{ cpu: '4', memory: '16Gi', pods: '10' },
        ...(more.gpus !== undefined && { 'nvidia.com/gpu': more.gpus }),
      },
    },
  });

const engines = (more: object = {}) =>
  wantedEngines({
    servingEngineSpec: { modelSpec: [{ name: 'qwen', modelURL: 'Qwen/Q', ...more }] },
  });

test('rights that are missing are named', () => {
  const right = (name: string, isAllowed: boolean) => ({ name, isAllowed });
  assert.equal(checkRights([right('get pods', true)]).result, 'ok');
  const found = checkRights([right('get pods', true), right('create deployments.apps', false)]);
  assert.deepEqual([found.result, found.detail], ['failed', 'missing: create deployments.apps']);
  const many = checkRights(Array.from({ length: 20 }, (_, index) => right(`r${index}`, false)));
  assert.match(many.detail, /r7 and 12 more$/);
});

test('a StorageClass must be there: the named one, or a default', () => {
  const storageClass = (name: string, isDefault: boolean) => ({
    metadata: {
      name,
      annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) },
    },
  });
  const claim = engines({ pvcStorage: '10Gi' });
  assert.equal(checkStorage([storageClass('a', true)], claim).result, 'ok');
  assert.equal(checkStorage([storageClass('a', false)], claim).result, 'failed');
  assert.equal(checkStorage([storageClass('a', false)], engines()).result, 'warning');
  const wrong = checkStorage(
    [storageClass('a', true)],
    engines({ pvcStorage: 1, storageClass: 'b' }),
  );
  assert.deepEqual(
    [wrong.result, wrong.detail],
    ['failed', 'qwen wants b; the cluster has a, default a'],
  );
  assert.equal(checkStorage([], engines({ pvcStorage: { emptyDir: {} } })).result, 'warning');
  assert.equal(checkStorage(undefined, claim).result, 'skipped');
});

test('GPUs that the values want must be announced by a device plugin', () => {
  const wanting = engines({ requestGPU: 1 });
  const labels = { 'nvidia.com/cuda.driver-version.full': '580.1' };
  const found = checkGpus([node('a', { gpus: '8', labels }), node('b')], wanting);
  assert.deepEqual([found.result, found.detail], ['ok', '8 nvidia.com/gpu, driver 580.1']);
  const none = checkGpus([node('a')], wanting);
  assert.deepEqual([none.result, none.detail], ['failed', 'no node has nvidia.com/gpu']);
  assert.equal(checkGpus([node('a')], engines({ kind: 'embedded' })).result, 'ok');
  assert.equal(checkGpus([node('a')], []).result, 'warning');
  assert.equal(checkGpus(undefined, wanting).result, 'skipped');
});

test('a node whose GPU no device plugin announces is named, also if others have GPUs', () => {
  const labels = { 'feature.node.kubernetes.io/pci-10de.present': 'true' };
  const found = checkGpus([node('good', { gpus: '1' }), node('bad', { gpus: '0', labels })], []);
  assert.equal(found.result, 'failed');
  assert.equal(found.detail, 'GPUs that no device plugin announces: bad');
});

test('engines need room on one node each, beside the pods that run', () => {
  const nodes = [node('a'), node('b')];
  const pod = (nodeName: string, phase: string) =>
    readRequests({
      spec: {
        nodeName,
        containers: [{ resources: { requests: { cpu: '1500m', memory: '1Gi' } } }],
        initContainers: [{ resources: { requests: { cpu: '2', memory: '1Mi' } } }],
      },
      status: { phase },
    });
  const three = (replicaCount: number) => engines({ replicaCount, requestCPU: 3 });
  assert.equal(checkRoom(nodes, [], three(2)).result, 'ok');
  // 8 CPUs are free in all, but no node has three left.
  const full = checkRoom(nodes, [], three(3));
  assert.equal(full.result, 'failed');
  assert.match(
    full.detail,
    /^no room for 1 of 3 engines \(qwen\); 8\.0 CPUs and 32\.0 GiB are free/,
  );
  assert.equal(checkRoom(nodes, [pod('a', 'Running')], three(2)).result, 'failed');
  assert.equal(checkRoom(nodes, [pod('a', 'Succeeded')], three(2)).result, 'ok');
  assert.equal(checkRoom(nodes, undefined, three(1)).result, 'skipped');
  assert.equal(checkRoom([{ ...node('a'), isUsable: false }], [], []).detail, 'no node is ready');
});

test('engines of a values file are read with the defaults of the chart', () => {
  const [engine] = engines({
    requestGPU: '2',
    requestGPUType: 'amd.com/gpu',
    requestMemory: '1Gi',
  });
  assert.equal(engine?.replicas, 1);
  assert.deepEqual(engine?.requests, { cpu: 0, memory: 2 ** 30, pods: 1, 'amd.com/gpu': 2 });
  assert.deepEqual([engine?.hasClaim, engine?.model], [false, 'Qwen/Q']);
  assert.equal(engines({ modelURL: '/models/q' })[0]?.model, undefined);
  assert.equal(engines({ kind: 'embedded' })[0]?.model, undefined);
  assert.deepEqual(wantedEngines({ servingEngineSpec: { enableEngine: false } }), []);
});
