import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheServerObjects } from './cache-server-objects.ts';

interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly readinessProbe: unknown;
  readonly ports: readonly { readonly containerPort: number }[];
}

function containerOf(imageName: string): Container {
  const owner = {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'CacheServer' },
    metadata: { name: 'cache', namespace: 'default', uid: 'u' },
  };
  const image = { registry: 'docker.io', name: imageName };
  const spec = {
    image,
    port: 8000,
    replicas: 1,
    resources: {},
    deploymentStrategy: 'RollingUpdate',
  } as const;
  const [, deployment] = cacheServerObjects(
    owner as unknown as Parameters<typeof cacheServerObjects>[0],
    spec as unknown as Parameters<typeof cacheServerObjects>[1],
  );
  assert.ok(deployment);
  const { template } = deployment['spec'] as {
    template: { spec: { containers: readonly Container[] } };
  };
  return template.spec.containers[0] ?? assert.fail();
}

test('an image of Spillway is its own cache server, with health checks and Redis’ protocol', () => {
  for (const name of ['spillway', 'org/spillway:1.2', 'org/spillway@sha256:0']) {
    const { command, readinessProbe, ports } = containerOf(name);
    assert.equal(command.slice(0, 6).join(' '), 'spillway cache --host 0.0.0.0 --port 8000');
    assert.deepEqual(readinessProbe, {
      httpGet: { path: '/ready', port: 9400 },
      periodSeconds: 5,
    });
    assert.deepEqual(
      ports.map(({ containerPort }) => containerPort),
      [8000, 6379, 9400],
    );
  }
});

test('every other image runs LMCache’s server, as with upstream’s operator', () => {
  for (const name of ['lmcache/vllm-openai:latest', 'org/spillway-fork:1']) {
    const { command } = containerOf(name);
    assert.deepEqual(command, ['/opt/venv/bin/lmcache_server', '0.0.0.0', '8000']);
  }
});
