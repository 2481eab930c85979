import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupRelease, groupValues } from './group.ts';

test('a group has a release of its own', () => {
  assert.deepEqual(
    [groupRelease('vllm', undefined), groupRelease('vllm', 'a'), groupRelease('r', 'b')],
    ['vllm', 'vllm-a', 'r-b'],
  );
});

test('all parts go to nodes of the group, beside the labels that an engine asks for', () => {
  const values = {
    servingEngineSpec: {
      modelSpec: [{ name: 'x', replicaCount: 2, nodeSelector: { gpu: 'h100' } }, { name: 'y' }],
    },
  };
  assert.deepEqual(groupValues(values, 'b'), {
    servingEngineSpec: {
      modelSpec: [
        { name: 'x', replicaCount: 2, nodeSelector: { gpu: 'h100', 'spillway/group': 'b' } },
        { name: 'y', nodeSelector: { 'spillway/group': 'b' } },
      ],
    },
    routerSpec: { nodeSelector: { 'spillway/group': 'b' } },
    cacheserverSpec: { nodeSelector: { 'spillway/group': 'b' } },
  });
});
