// The operator against a real API server, with the rights of its own manifests: definitions, defaults, rules, server-side
// apply, and an object that upstream's operator has made before.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { createEngineServer } from '../../../src/apps/engine/index.ts';
import { apiCluster } from '../../../src/apps/operator/api-cluster.ts';
import { ChangedMeanwhileError } from '../../../src/apps/operator/cluster.ts';
import { defaultEngineConfig } from '../../../src/core/engine/index.ts';
import { manifests } from '../../../src/core/operator/index.ts';
import { loadTokenizer } from '../../../src/io/tokenizers/index.ts';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { installDefinitions } from '../../support/kubernetes/foreign-definitions.ts';
import { operatorAccess, startedOperator } from '../../support/started-operator.ts';
import { until } from '../../support/until.ts';

interface Loaded {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
}

const tools = process.env['TOOLS'] ?? '';
const samples = parseAllDocuments(
  readFileSync(
    join(import.meta.dirname, '../../../src/core/operator/fixtures/upstream-samples.yaml'),
    'utf8',
  ),
).map((document) => document.toJS() as Loaded);
const ours = '/apis/production-stack.vllm.ai/v1alpha1/namespaces/default';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
let cluster: ControlPlane;

before(async () => {
  cluster = await ControlPlane.start({ tools });
  const objects = manifests({ namespace: 'spillway-system', image: 'none', replicas: 1 });
  for (const object of objects as readonly Loaded[]) await create(object);
  // A definition is served a moment after it is made.
  await until(async () => {
    const lists = await Promise.all(
      ['vllmruntimes', 'vllmrouters', 'cacheservers', 'loraadapters'].map((plural) =>
        cluster.ask('GET', `${ours}/${plural}`),
      ),
    );
    return lists.every(({ status }) => status === 200);
  });
});
after(() => cluster?.close());

test('upstream’s samples are accepted unchanged, and become objects that the API server accepts', async (t) => {
  await startOperator(t);
  for (const sample of samples) await create({ ...sample, metadata: named(sample) });
  const wanted = [
    [deployments, ['vllmruntime-sample', 'vllmrouter-sample', 'cacheserver-sample']],
    [
      '/api/v1/namespaces/default/services',
      ['vllmruntime-sample', 'vllmrouter-sample', 'cacheserver-sample'],
    ],
    ['/api/v1/namespaces/default/persistentvolumeclaims', ['vllmruntime-sample']],
    ['/api/v1/namespaces/default/serviceaccounts', ['vllmrouter-sa']],
    [
      '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings',
      ['vllmrouter-sample-pod-viewer-binding'],
    ],
  ] as const;
  for (const [path, names] of wanted) {
    for (const name of names)
      await until(async () => (await cluster.ask('GET', `${path}/${name}`)).status === 200);
  }
  // The definition's defaults, and what the operator makes of them.
  const { spec } = await cluster.expect('GET', `${deployments}/vllmruntime-sample`);
  const { replicas, template } = spec as {
    replicas: number;
    template: { spec: { runtimeClassName: string } };
  };
  assert.deepEqual([replicas, template.spec.runtimeClassName], [2, 'nvidia']);
  // KEDA is not installed: the resource says so, and its engines are there nevertheless.
  await until(async () => (await readyOf('vllmruntime-autoscaling-sample')).reason === 'Refused');
  assert.equal(
    (await cluster.ask('GET', `${deployments}/vllmruntime-autoscaling-sample`)).status,
    200,
  );
});

test('the scale subresource scales, a Deployment’s state becomes the status, and its owner’s end is its own', async (t) => {
  await startOperator(t);
  await create(runtime('scaled'));
  await until(async () => (await cluster.ask('GET', `${deployments}/scaled`)).status === 200);
  await cluster.expect('PATCH', `${ours}/vllmruntimes/scaled/scale`, { spec: { replicas: 3 } });
  await until(async () => (await specOf('scaled')).replicas === 3);
  const { metadata } = await cluster.expect('GET', `${deployments}/scaled`);
  const { generation, ownerReferences } = metadata as {
    readonly generation: number;
    readonly ownerReferences: readonly { readonly kind: string; readonly controller: boolean }[];
  };
  assert.deepEqual(
    ownerReferences.map(({ kind, controller }) => [kind, controller]),
    [['VLLMRuntime', true]],
  );
  const status = {
    observedGeneration: generation,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
  };
  await cluster.expect('PATCH', `${deployments}/scaled/status`, { status });
  await until(async () => (await readyOf('scaled')).status === 'True');
  const scale = await cluster.expect('GET', `${ours}/vllmruntimes/scaled/scale`);
  assert.deepEqual(scale['status'], { replicas: 3, selector: 'app=scaled' });
});

test('fields of others stay, edits of its own are undone, and what is no longer wanted goes', async (t) => {
  await startOperator(t);
  const env = [{ name: 'A', value: '1' }];
  await create(runtime('edited', { env }));
  await until(async () => (await cluster.ask('GET', `${deployments}/edited`)).status === 200);
  await cluster.expect('PATCH', `${deployments}/edited`, {
    metadata: { annotations: { team: 'search' } },
    spec: { replicas: 7, revisionHistoryLimit: 2 },
  });
  await until(async () => (await specOf('edited')).replicas === 1);
  const { metadata, spec } = await cluster.expect('GET', `${deployments}/edited`);
  assert.equal((metadata as { annotations: Record<string, string> }).annotations['team'], 'search');
  assert.equal((spec as { revisionHistoryLimit: number }).revisionHistoryLimit, 2);
  await cluster.expect('PATCH', `${ours}/vllmruntimes/edited`, {
    spec: { vllmConfig: { env: null } },
  });
  await until(async () => (await specOf('edited')).template.spec.containers[0]?.env === undefined);
});

test('a Deployment that upstream’s operator made is taken over in place', async (t) => {
  const labels = { app: 'old', model: 'llama' };
  const container = {
    name: 'vllm',
    image: 'lmcache/vllm-openai:old',
    env: [{ name: 'GONE', value: '1' }],
  };
  await create(runtime('old'));
  const { metadata: resource } = await cluster.expect('GET', `${ours}/vllmruntimes/old`);
  // As controller-runtime's SetControllerReference, which upstream's operator calls, sets it.
  const owner = {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime', name: 'old' },
    uid: (resource as { readonly uid: string }).uid,
    ...{ controller: true, blockOwnerDeletion: true },
  };
  await create({
    ...{
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'old',
        namespace: 'default',
        ownerReferences: [owner],
      } as Loaded['metadata'],
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
  const { metadata: before } = await cluster.expect('GET', `${deployments}/old`);
  await startOperator(t);
  await until(
    async () =>
      (await specOf('old')).template.spec.containers[0]?.image === 'docker.io/vllm/vllm-openai:v1',
  );
  const { metadata, spec } = await cluster.expect('GET', `${deployments}/old`);
  assert.equal((metadata as { uid: string }).uid, (before as { uid: string }).uid);
  assert.deepEqual((spec as { selector: { matchLabels: object } }).selector.matchLabels, labels);
});

test('objects of others stay as they are, and the resource heals once they are gone', async (t) => {
  const core = '/api/v1/namespaces/default';
  await create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci-admin' } });
  await create({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'postgres' } },
    spec: { selector: { app: 'postgres' }, ports: [{ port: 5432 }] },
  });
  const before = await cluster.expect('GET', `${core}/services/postgres`);
  await startOperator(t);
  await create({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    metadata: { name: 'postgres' },
    spec: {
      ...{ resources: {}, k8sLabelSelector: 'app=m', serviceAccountName: 'ci-admin' },
      image: { registry: '', name: 'spillway:1' },
    },
  });
  const conflict = async () => {
    const { status } = await cluster.expect('GET', `${ours}/vllmrouters/postgres`);
    const { conditions = [] } = (status ?? {}) as {
      readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
    };
    return conditions.find(({ type }) => type === 'Conflict')?.reason;
  };
  await until(async () => (await conflict()) === 'ObjectExists');
  assert.equal((await cluster.ask('GET', `${deployments}/postgres`)).status, 200);
  assert.deepEqual(await cluster.expect('GET', `${core}/services/postgres`), before);
  await cluster.expect('DELETE', `${core}/services/postgres`);
  await until(async () => (await conflict()) === 'ForeignAccount');
  const { metadata } = await cluster.expect('GET', `${core}/serviceaccounts/ci-admin`);
  assert.equal((metadata as { readonly ownerReferences?: unknown }).ownerReferences, undefined);
});

test('an API server makes no object, and changes none, where another one has come', async () => {
  const { apply, remove } = apiCluster(await operatorAccess(cluster));
  const object = (team: string) => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { team } },
    metadata: { name: 'raced', namespace: 'default' },
  });
  const made = await apply(object('a'), undefined);
  await assert.rejects(apply(object('b'), undefined), ChangedMeanwhileError);
  await assert.rejects(apply(object('b'), 'another'), ChangedMeanwhileError);
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'raced' };
  await assert.rejects(remove(reference, 'another'), ChangedMeanwhileError);
  const { data } = await apply(object('c'), made.metadata.uid);
  assert.deepEqual(data, { team: 'c' });
  await remove(reference, made.metadata.uid);
  await assert.rejects(apply(object('d'), made.metadata.uid), ChangedMeanwhileError);
});

test('the definitions refuse what cannot work, with a sentence', async () => {
  const refused = async (object: Loaded, plural: string): Promise<string> => {
    const { status, body } = await cluster.ask('POST', `${ours}/${plural}`, object);
    assert.equal(status, 422, body);
    return (JSON.parse(body) as { message: string }).message;
  };
  const scaling = { enabled: true, minReplicas: 5, maxReplicas: 2 };
  const [wrong] = [runtime('wrong')];
  const spec = { ...(wrong.spec as object), autoscalingConfig: scaling };
  assert.match(
    await refused({ ...wrong, spec }, 'vllmruntimes'),
    /minReplicas must be at most maxReplicas/,
  );
  const router = { resources: {}, image: { registry: '', name: 'spillway' } };
  const routed = (more: object): Loaded => ({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    metadata: { name: 'wrong' },
    spec: { ...router, ...more },
  });
  assert.match(await refused(routed({}), 'vllmrouters'), /k8sLabelSelector is required/);
  assert.match(
    await refused(routed({ k8sLabelSelector: 'a=b', routingLogic: 'session' }), 'vllmrouters'),
    /sessionKey is required/,
  );
  assert.match(
    await refused(routed({ serviceDiscovery: 'static' }), 'vllmrouters'),
    /staticBackends and staticModels are required/,
  );
});

test('several routers get a headless Service, by which they find each other; a single one does not', async (t) => {
  await startOperator(t);
  const routers = (replicas: number): Loaded => ({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    metadata: { name: 'front' },
    spec: {
      ...{ replicas, resources: {}, k8sLabelSelector: 'app=m', port: 8080 },
      image: { registry: '', name: 'spillway:1' },
    },
  });
  await create(routers(2));
  const service = '/api/v1/namespaces/default/services/front-peers';
  await until(async () => (await cluster.ask('GET', service)).status === 200);
  const { spec } = await cluster.expect('GET', service);
  assert.equal((spec as { readonly clusterIP: string }).clusterIP, 'None');
  // The Deployment comes after the Service.
  await until(async () => (await cluster.ask('GET', `${deployments}/front`)).status === 200);
  const argsOf = async () => (await specOf('front')).template.spec.containers[0]?.args ?? [];
  await until(async () => (await argsOf()).includes('http://front-peers:8080'));
  await cluster.expect('PATCH', `${ours}/vllmrouters/front`, { spec: { replicas: 1 } });
  await until(async () => (await cluster.ask('GET', service)).status === 404);
  await until(async () => !(await argsOf()).includes('--router-peers'));
});

test('without KEDA, a HorizontalPodAutoscaler scales the resource, and goes when it is no longer wanted', async (t) => {
  await startOperator(t);
  const [scaled] = [runtime('hpa')];
  const autoscalingConfig = {
    ...{ enabled: true, scaler: 'hpa', minReplicas: 2, maxReplicas: 4 },
    triggers: { kvCacheUsageThreshold: 85, ttftSeconds: 3 },
  };
  await create({ ...scaled, spec: { ...(scaled.spec as object), autoscalingConfig } });
  const path = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/hpa';
  await until(async () => (await cluster.ask('GET', path)).status === 200);
  const { spec } = await cluster.expect('GET', path);
  const { scaleTargetRef, metrics } = spec as {
    readonly scaleTargetRef: { readonly kind: string };
    readonly metrics: readonly { readonly external: { readonly target: object } }[];
  };
  assert.equal(scaleTargetRef.kind, 'VLLMRuntime');
  assert.deepEqual(
    metrics.map(({ external }) => external.target),
    [
      { type: 'AverageValue', averageValue: '5' },
      { type: 'AverageValue', averageValue: '850m' },
      { type: 'Value', value: '3' },
    ],
  );
  await cluster.expect('PATCH', `${ours}/vllmruntimes/hpa`, {
    spec: { autoscalingConfig: { enabled: false } },
  });
  await until(async () => (await cluster.ask('GET', path)).status === 404);
  const toZero = { ...autoscalingConfig, minReplicas: 0 };
  const { status, body } = await cluster.ask('POST', `${ours}/vllmruntimes`, {
    ...runtime('zero'),
    spec: { ...(scaled.spec as object), autoscalingConfig: toZero },
  });
  assert.equal(status, 422);
  assert.match(body, /a HorizontalPodAutoscaler cannot scale to 0/);
});

test('of two operators one works; the other takes over when it ends, and after the API server was away', async (t) => {
  const first = await startOperator(t, 'a');
  await until(() => first.election?.isLeader === true);
  const second = await startOperator(t, 'b');
  await first.close();
  await until(() => second.election?.isLeader === true);
  await cluster.stopApiServer();
  await cluster.startApiServer();
  await create(runtime('later'));
  await until(async () => (await cluster.ask('GET', `${deployments}/later`)).status === 200);
});

test('an adapter is loaded on the engine of a pod, and unloaded before it is deleted', async (t) => {
  const engine = await createEngineServer({
    ...{ host: '127.0.7.1', port: 0, model: 'm', tokenizer: await loadTokenizer() },
    config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 200, blockSize: 16 }),
    ...{ cost: { stepSeconds: () => 0.005 }, allowRuntimeLoraUpdating: true },
    lora: { maxRank: 16, check: async () => {} },
  });
  t.after(() => engine.close());
  const listed = async () => {
    const { data } = (await (await fetch(`${engine.url}/v1/models`)).json()) as {
      readonly data: readonly { readonly id: string }[];
    };
    return data.map(({ id }) => id);
  };
  const pods = '/api/v1/namespaces/default/pods';
  const ports = [{ name: 'http', containerPort: Number(new URL(engine.url).port) }];
  await cluster.expect('POST', pods, {
    metadata: { name: 'engine', labels: { model: 'qwen' } },
    spec: { nodeName: 'node', containers: [{ name: 'vllm', image: 'none', ports }] },
  });
  await cluster.expect('PATCH', `${pods}/engine/status`, {
    status: {
      ...{ phase: 'Running', podIP: '127.0.7.1', podIPs: [{ ip: '127.0.7.1' }] },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
  await startOperator(t);
  await create({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'LoraAdapter' },
    metadata: { name: 'sql' },
    spec: {
      baseModel: 'qwen',
      adapterSource: { type: 'local', adapterName: 'sql', adapterPath: '/lora/sql' },
    },
  });
  const path = `${ours}/loraadapters/sql`;
  await until(async () => {
    const { status } = await cluster.expect('GET', path);
    return (status as { readonly phase?: string } | undefined)?.phase === 'Ready';
  });
  assert.deepEqual(await listed(), ['m', 'sql']);
  const events = '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=sql';
  await until(async () => {
    const { items } = await cluster.expect('GET', events);
    return (items as readonly { readonly reason: string }[]).some(
      ({ reason }) => reason === 'Loaded',
    );
  });
  const { metadata } = await cluster.expect('GET', `${pods}/engine`);
  assert.ok((metadata as { annotations: Record<string, string> }).annotations['lora-modified']);
  await cluster.expect('DELETE', path);
  await until(async () => (await cluster.ask('GET', path)).status === 404);
  assert.deepEqual(await listed(), ['m']);
});

test('with KEDA, its definition has all fields of the ScaledObjects that upstream’s samples become', async (t) => {
  await installDefinitions(cluster, 'keda.sh');
  await startOperator(t);
  const scaled = samples.filter(({ metadata }) => metadata.name.includes('autoscaling'));
  assert.equal(scaled.length, 3);
  for (const sample of scaled) {
    const { name } = sample.metadata;
    if ((await cluster.ask('GET', `${ours}/vllmruntimes/${name}`)).status === 404) {
      await create({ ...sample, metadata: named(sample) });
    }
    const path = `/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects/${name}-scaledobject`;
    await until(async () => (await cluster.ask('GET', path)).status === 200);
    await until(async () => (await readyOf(name)).reason !== 'Refused');
    const spec = (await cluster.expect('GET', path))['spec'] as ScaledSpec;
    // The API server drops what a definition lacks.
    assert.deepEqual(Object.keys(spec).toSorted(), [
      ...['advanced', 'cooldownPeriod', 'maxReplicaCount', 'minReplicaCount', 'pollingInterval'],
      ...['scaleTargetRef', 'triggers'],
    ]);
    assert.deepEqual(spec.scaleTargetRef, {
      ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime', name },
    });
    const { behavior } = spec.advanced.horizontalPodAutoscalerConfig;
    assert.deepEqual(Object.keys(behavior).toSorted(), ['scaleDown', 'scaleUp']);
    for (const { type, metadata } of spec.triggers) {
      assert.equal(type, 'prometheus');
      for (const key of ['query', 'serverAddress', 'threshold']) assert.ok(metadata[key], key);
    }
  }
});

test('the operator may do no more than it needs', async () => {
  const token = await cluster.tokenOf('spillway-system', 'spillway-operator');
  const may = async (
    verb: string,
    resource: string,
    groupName = '',
    subresource = '',
  ): Promise<boolean> => {
    const review = {
      ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' },
      spec: {
        resourceAttributes: { namespace: 'default', verb, resource, group: groupName, subresource },
      },
    };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const { body } = await cluster.ask('POST', path, review, token);
    return (JSON.parse(body) as { status: { allowed: boolean } }).status.allowed;
  };
  assert.equal(await may('patch', 'deployments', 'apps'), true);
  for (const [verb, resource, groupName, subresource] of [
    ['list', 'secrets', '', ''],
    ['delete', 'pods', '', ''],
    ['delete', 'loraadapters', 'production-stack.vllm.ai', ''],
    ['create', 'pods', '', ''],
    ['create', 'pods', '', 'exec'],
    ['create', 'clusterroles', 'rbac.authorization.k8s.io', ''],
    ['escalate', 'roles', 'rbac.authorization.k8s.io', ''],
    ['delete', 'namespaces', '', ''],
    ['delete', 'vllmruntimes', 'production-stack.vllm.ai', ''],
  ] as const) {
    assert.equal(await may(verb, resource, groupName, subresource), false, `${verb} ${resource}`);
  }
});

function runtime(name: string, vllmConfig: object = {}): Loaded {
  return {
    apiVersion: 'production-stack.vllm.ai/v1alpha1',
    kind: 'VLLMRuntime',
    metadata: { name },
    spec: {
      model: { modelURL: 'Qwen/Qwen3-8B' },
      vllmConfig,
      deploymentConfig: {
        resources: { gpu: '1' },
        image: { registry: 'docker.io', name: 'vllm/vllm-openai:v1' },
      },
    },
  };
}

/** Creates an object, in the namespace `default` unless it names one. */
async function create(object: Loaded): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const clusterWide = /^(CustomResourceDefinition|Namespace|ClusterRole|ClusterRoleBinding)$/.test(
    kind,
  );
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = clusterWide ? '' : `/namespaces/${metadata.namespace ?? 'default'}`;
  await cluster.expect('POST', `${root}${within}/${kind.toLowerCase()}s`, object);
}

function named({ metadata }: Loaded): Loaded['metadata'] {
  return { ...metadata, namespace: 'default' };
}

interface ScaledSpec {
  readonly scaleTargetRef: object;
  readonly advanced: { readonly horizontalPodAutoscalerConfig: { readonly behavior: object } };
  readonly triggers: readonly {
    readonly type: string;
    readonly metadata: Readonly<Record<string, string>>;
  }[];
}

interface Spec {
  readonly replicas: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly {
        readonly image: string;
        readonly env?: readonly object[];
        readonly args?: readonly string[];
      }[];
    };
  };
}

async function specOf(deployment: string): Promise<Spec> {
  return (await cluster.expect('GET', `${deployments}/${deployment}`))['spec'] as Spec;
}

async function readyOf(
  name: string,
): Promise<{ readonly status?: string; readonly reason?: string }> {
  const { status } = await cluster.expect('GET', `${ours}/vllmruntimes/${name}`);
  const { conditions = [] } = (status ?? {}) as {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
  return conditions.find(({ type }) => type === 'Ready') ?? {};
}

async function startOperator(t: TestContext, identity?: string) {
  const access = await operatorAccess(cluster);
  const lease = identity === undefined ? undefined : { namespace: 'spillway-system', identity };
  return startedOperator(t, { access, lease });
}
