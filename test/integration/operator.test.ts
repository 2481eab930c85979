// The operator over the API of a scripted cluster.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ScriptedCluster, scriptedCluster } from '../support/scripted-cluster.ts';
import { startedOperator } from '../support/started-operator.ts';
import { until } from '../support/until.ts';

const runtime = {
  kind: 'VLLMRuntime',
  metadata: { name: 'qwen', labels: { model: 'qwen' } },
  spec: {
    model: { modelURL: 'Qwen/Qwen3-8B' },
    vllmConfig: { enablePrefixCaching: true },
    deploymentConfig: {
      replicas: 2,
      resources: { gpu: '1' },
      image: { registry: 'docker.io', name: 'vllm/vllm-openai:v0.11.0' },
    },
  },
};

const router = {
  kind: 'VLLMRouter',
  metadata: { name: 'front' },
  spec: {
    k8sLabelSelector: 'model=qwen',
    resources: {},
    image: { registry: 'docker.io', name: 'spillway:0.1.0' },
  },
};

test('a resource becomes objects; their state becomes its status; edits and deletions are undone', async (t) => {
  const cluster = await scriptedCluster(t);
  cluster.put('vllmruntimes', runtime);
  startOperator(t, cluster);
  await until(() => cluster.get('deployments', 'qwen') !== undefined);
  const deployment = cluster.get('deployments', 'qwen');
  assert.equal(deployment?.spec?.['replicas'], 2);
  await until(() => readyOf(cluster)?.reason === 'Starting');

  startPods(cluster);
  await until(() => readyOf(cluster)?.status === 'True');
  assert.equal(cluster.get('vllmruntimes', 'qwen')?.status?.['modelStatus'], 'Ready');

  // KEDA scales the resource.
  const scaled = {
    ...runtime.spec,
    deploymentConfig: { ...runtime.spec.deploymentConfig, replicas: 5 },
  };
  cluster.put('vllmruntimes', { ...cluster.get('vllmruntimes', 'qwen'), spec: scaled });
  await until(() => cluster.get('deployments', 'qwen')?.spec?.['replicas'] === 5);

  const found = cluster.get('deployments', 'qwen');
  cluster.put('deployments', { ...found, spec: { ...found?.spec, replicas: 1 } });
  await until(() => cluster.get('deployments', 'qwen')?.spec?.['replicas'] === 5);

  cluster.remove('services', 'qwen');
  await until(() => cluster.get('services', 'qwen') !== undefined);
});

test('a router counts the runtimes that it finds', async (t) => {
  const cluster = await scriptedCluster(t);
  cluster.put('vllmrouters', router);
  cluster.put('vllmruntimes', runtime);
  startOperator(t, cluster);
  await until(() => cluster.get('deployments', 'qwen') !== undefined);
  startPods(cluster);
  await until(() => cluster.get('vllmrouters', 'front')?.status?.['activeRuntimes'] === 1);
  cluster.remove('vllmruntimes', 'qwen');
  await until(() => cluster.get('vllmrouters', 'front')?.status?.['activeRuntimes'] === 0);
});

test('nothing is written again and again when nothing changes', async (t) => {
  const cluster = await scriptedCluster(t);
  cluster.put('vllmruntimes', runtime);
  startOperator(t, cluster);
  await until(
    () => cluster.get('vllmruntimes', 'qwen')?.status?.['selector'] === 'app=qwen,model=qwen',
  );
  const before = cluster.writes.length;
  // Each relisting shows everything again.
  for (let i = 0; i < 3; i++) {
    const { length } = cluster.api.requests;
    cluster.api.endWatches();
    await until(() => cluster.api.requests.length > length + 5);
  }
  assert.deepEqual(cluster.writes.slice(before), []);
});

test('an API server that goes away and comes back is followed again', async (t) => {
  const cluster = await scriptedCluster(t);
  startOperator(t, cluster);
  await until(() => cluster.api.watching > 8);
  cluster.api.mode = { status: 503 };
  cluster.api.cut();
  cluster.put('vllmruntimes', runtime);
  await until(() => cluster.api.requests.length > 40);
  assert.equal(cluster.get('deployments', 'qwen'), undefined);
  cluster.api.mode = 'serve';
  await until(() => cluster.get('deployments', 'qwen') !== undefined);
});

test('of two operators one works; when it stops, the other takes over at once', async (t) => {
  const cluster = await scriptedCluster(t);
  const first = startOperator(t, cluster, 'a');
  await until(() => first.election?.isLeader === true);
  const second = startOperator(t, cluster, 'b');
  cluster.put('vllmruntimes', runtime);
  await until(() => cluster.get('deployments', 'qwen') !== undefined);
  assert.equal(second.election?.isLeader, false);
  await first.close();
  await until(() => second.election?.isLeader === true);
  cluster.remove('services', 'qwen');
  await until(() => cluster.get('services', 'qwen') !== undefined);
});

function startOperator(t: TestContext, { api: { access } }: ScriptedCluster, identity?: string) {
  const lease = identity === undefined ? undefined : { namespace: 'default', identity };
  return startedOperator(t, { access, namespace: 'default', lease });
}

/** What the controller of Deployments would do. */
function startPods(cluster: ScriptedCluster): void {
  const deployment = cluster.get('deployments', 'qwen');
  const observedGeneration = deployment?.metadata.generation;
  const status = { observedGeneration, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  cluster.api.put('/apis/apps/v1/namespaces/default/deployments', { ...deployment, status });
}

function readyOf(
  cluster: ScriptedCluster,
): { readonly status: string; readonly reason: string } | undefined {
  const { conditions } = (cluster.get('vllmruntimes', 'qwen')?.status ?? {}) as {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
  return conditions?.find(({ type }) => type === 'Ready');
}
