import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject, ObjectReference, Resource } from '../../core/operator/index.ts';
import type { ClusterWriter } from './cluster.ts';
import { ResourceController } from './resource-controller.ts';

const cache: Resource = {
  apiVersion: 'production-stack.vllm.ai/v1alpha1',
  kind: 'CacheServer',
  metadata: { name: 'kv', namespace: 'default', uid: 'u1', generation: 1 },
  spec: {
    image: { registry: 'docker.io', name: 'lmcache/vllm-openai:v1' },
    resources: { cpu: '1', memory: '1Gi' },
  },
};

/** A cluster that keeps what it is given, with generations as an API server counts them. */
class KeptCluster implements ClusterWriter {
  readonly objects = new Map<string, KubernetesObject>();
  readonly log: string[] = [];
  status: object | undefined;
  refusal: Error | undefined;

  async read({ kind, name }: ObjectReference): Promise<KubernetesObject | undefined> {
    return this.objects.get(`${kind}/${name}`);
  }

  async apply(object: KubernetesObject): Promise<KubernetesObject> {
    if (this.refusal) throw this.refusal;
    const key = `${object.kind}/${object.metadata.name}`;
    const { generation = 0 } = this.objects.get(key)?.metadata ?? {};
    const kept = { ...object, metadata: { ...object.metadata, generation: generation + 1 } };
    this.objects.set(key, kept);
    this.log.push(`apply ${key}`);
    return kept;
  }

  async remove({ kind, name }: ObjectReference): Promise<void> {
    this.objects.delete(`${kind}/${name}`);
    this.log.push(`remove ${kind}/${name}`);
  }

  async setStatus(_: ObjectReference, status: object): Promise<undefined> {
    this.status = status;
    this.log.push('status');
    return undefined;
  }

  async record(): Promise<void> {}

  controller(): ResourceController {
    return new ResourceController({
      cluster: this,
      owned: () => [...this.objects.values()],
      pods: () => [],
      scaling: () => undefined,
      activeRuntimes: () => undefined,
      now: () => '2026-01-01T00:00:00Z',
    });
  }
}

test('what is applied once is not applied again until something changes', async () => {
  const cluster = new KeptCluster();
  const controller = cluster.controller();
  await controller.work(cache);
  assert.deepEqual(cluster.log.splice(0), ['apply Service/kv', 'apply Deployment/kv', 'status']);
  const seen = { ...cache, status: cluster.status };
  await controller.work(seen);
  assert.deepEqual(cluster.log.splice(0), []);
  const larger = { ...seen, spec: { ...(cache.spec as object), replicas: 3 } };
  await controller.work(larger);
  assert.deepEqual(
    cluster.log.filter((line) => line !== 'status'),
    ['apply Deployment/kv'],
  );
});

test('an edit by somebody else is undone', async () => {
  const cluster = new KeptCluster();
  const controller = cluster.controller();
  await controller.work(cache);
  const deployment = cluster.objects.get('Deployment/kv') as KubernetesObject;
  cluster.objects.set('Deployment/kv', {
    ...deployment,
    metadata: { ...deployment.metadata, generation: 7 },
  });
  cluster.log.length = 0;
  await controller.work({ ...cache, status: cluster.status });
  assert.deepEqual(cluster.log, ['apply Deployment/kv']);
});

test('an operator that starts anew applies everything once, which changes nothing', async () => {
  const cluster = new KeptCluster();
  await cluster.controller().work(cache);
  const before = JSON.stringify(cluster.objects.get('Service/kv')?.['spec']);
  await cluster.controller().work({ ...cache, status: cluster.status });
  assert.equal(JSON.stringify(cluster.objects.get('Service/kv')?.['spec']), before);
});

test('what the API server refuses is in the status, and the work fails so that it is tried again', async () => {
  const cluster = new KeptCluster();
  cluster.refusal = new Error('status 403: services is forbidden');
  await assert.rejects(cluster.controller().work(cache), /forbidden/);
  const { conditions } = cluster.status as {
    readonly conditions: readonly { readonly message: string }[];
  };
  assert.equal(conditions[0]?.message, 'status 403: services is forbidden');
});
