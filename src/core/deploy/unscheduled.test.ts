// Sentences of Kubernetes' scheduler, as its version 1.36 writes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readUnscheduled } from './unscheduled.ts';

for (const [message, missing, next] of [
  ['0/1 nodes are available: 1 Insufficient nvidia.com/gpu.', ['nvidia.com/gpu'], /device plugin/],
  [
    '0/4 nodes are available: 1 Insufficient memory, 3 Insufficient cpu. preemption: 0/4 nodes are available: 4 Insufficient pods.',
    ['memory', 'cpu'],
    /lower requestCPU and requestMemory/,
  ],
  [
    '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found',
    ['a bound volume'],
    /set storageClass .* or pvcStorage to \{emptyDir: \{\}\}/,
  ],
  [
    '0/1 nodes are available: persistentvolumeclaim "models" not found.',
    ['claim models'],
    /pvcExistingClaimName/,
  ],
  [
    "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    ['a node with the wanted labels'],
    /nodeSelectorTerms/,
  ],
  [
    '0/1 nodes are available: 1 node(s) had untolerated taint(s).',
    ['a toleration of a taint'],
    /tolerations/,
  ],
  [
    '0/1 nodes are available: 1 node(s) were unschedulable.',
    ['a node that is not cordoned'],
    /uncordon/,
  ],
  ['no nodes available to schedule pods', ['nodes'], /^add nodes to the cluster$/],
  ['something new', [], /kubectl describe pod/],
] as const) {
  test(`the scheduler's "${message.slice(0, 70)}" lacks ${missing.join(', ') || 'nothing known'}`, () => {
    const found = readUnscheduled(message);
    assert.deepEqual(found.missing, missing);
    assert.match(found.next, next);
  });
}
