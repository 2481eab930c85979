import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNodeSystem } from './nodes.ts';

test('a result names kernel, container runtime and GPU driver of a node', () => {
  const node = {
    metadata: {
      name: 'gpu-1',
      labels: {
        'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3',
        'nvidia.com/cuda.driver-version.full': '570.124.06',
      },
    },
    status: {
      nodeInfo: {
        ...{ kernelVersion: '6.12.1', osImage: 'Debian GNU/Linux 13', architecture: 'amd64' },
        ...{ containerRuntimeVersion: 'containerd://2.1.4', kubeletVersion: 'v1.36.0' },
      },
    },
  };
  assert.deepEqual(readNodeSystem(node), {
    ...{ name: 'gpu-1', kernel: '6.12.1', os: 'Debian GNU/Linux 13', architecture: 'amd64' },
    ...{ containerRuntime: 'containerd://2.1.4', kubelet: 'v1.36.0' },
    ...{ gpu: 'NVIDIA-H100-80GB-HBM3', gpuDriver: '570.124.06' },
  });
  assert.equal(readNodeSystem({}).kernel, '');
});
