import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { type KubernetesObject, ownedMetadata } from './kubernetes-object.ts';
import { type Observed, type Reconciled, type Resource, reconcile } from './reconcile.ts';

const now = '2026-01-01T00:00:00Z';
const samples = parseAllDocuments(
  readFileSync(new URL('fixtures/upstream-samples.yaml', import.meta.url), 'utf8'),
).map((document) => document.toJS() as KubernetesObject);

for (const sample of samples.filter(({ kind }) => kind !== 'LoraAdapter')) {
  test(`upstream's sample ${sample.kind} ${sample.metadata.name} is deployed, and done at the second look`, () => {
    const resource = asRead(sample);
    const first = reconcile(resource, { objects: [], now });
    const kinds = first.apply.map(({ kind }) => kind);
    assert.ok(kinds.includes('Deployment') && kinds.includes('Service'), String(kinds));
    assert.deepEqual(first.remove, []);
    for (const { metadata } of first.apply) {
      assert.deepEqual(
        metadata.ownerReferences?.map(({ uid }) => uid),
        [resource.metadata.uid],
      );
      assert.equal(metadata.namespace, 'default');
    }
    const second = reconcile({ ...resource, status: first.status }, { objects: [], now: later });
    assert.equal(second.status, undefined, 'the time alone is no change');
    assert.deepEqual(second.apply, first.apply);
  });
}

const runtime = asRead(samples.find(({ kind }) => kind === 'VLLMRuntime') as KubernetesObject);
const router = asRead(samples.find(({ kind }) => kind === 'VLLMRouter') as KubernetesObject);
const later = '2026-01-01T00:01:00Z';

test('an engine gets the flags and variables of its sample', () => {
  const container = containerOf(reconcile(runtime, { objects: [], now }));
  assert.deepEqual(container.command, ['/opt/venv/bin/vllm', 'serve']);
  assert.deepEqual(container.args, [
    ...['meta-llama/Llama-3.1-8B-Instruct', '--host', '0.0.0.0', '--port', '8000', '--enable-lora'],
    ...['--no-enable-chunked-prefill', '--no-enable-prefix-caching', '--max-model-len', '4096'],
    ...['--dtype', 'bfloat16', '--tensor-parallel-size', '1', '--max-num-seqs', '32'],
    ...['--gpu-memory-utilization', '0.8', '--max-loras', '4', '--kv-transfer-config'],
    '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}',
  ]);
  const variables = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  assert.equal(variables['HF_HOME'], '/data');
  assert.equal(variables['LMCACHE_MAX_LOCAL_CPU_SIZE'], '15');
  assert.equal(variables['LMCACHE_LOCAL_DISK'], undefined, 'a size of 0 is none');
  assert.equal(
    variables['LMCACHE_REMOTE_URL'],
    'lm://cacheserver-sample.default.svc.cluster.local:80',
  );
});

// Upstream's operator compares some fields only, and misses these.
for (const [field, change] of [
  ['vllmConfig.env', { vllmConfig: { env: [{ name: 'A', value: 'b' }] } }],
  ['vllmConfig.extraArgs', { vllmConfig: { extraArgs: ['--seed', '1'] } }],
  ['model.maxModelLen', { model: { maxModelLen: 8192 } }],
  ['deploymentConfig.sidecarConfig', { deploymentConfig: { sidecarConfig: undefined } }],
  ['deploymentConfig.shmSize', { deploymentConfig: { shmSize: '24Gi' } }],
] as const) {
  test(`a change of ${field} changes the pods`, () => {
    const before = templateOf(reconcile(runtime, { objects: [], now }));
    const after = templateOf(reconcile(withSpec(runtime, change), { objects: [], now }));
    assert.notDeepEqual(after, before);
  });
}

test('sizes for LMCache are in gigabytes without a unit', () => {
  const sized = withSpec(runtime, {
    lmCacheConfig: { cpuOffloadingBufferSize: '4Gi', diskOffloadingBufferSize: '500M' },
  });
  const { env } = containerOf(reconcile(sized, { objects: [], now }));
  const value = (wanted: string) => env.find(({ name }) => name === wanted)?.value;
  assert.equal(value('LMCACHE_MAX_LOCAL_CPU_SIZE'), '4.295');
  assert.equal(value('LMCACHE_MAX_LOCAL_DISK_SIZE'), '0.5');
});

test('an embedded engine needs no GPU, no runtime class and no hook', () => {
  const embedded = withSpec(runtime, {
    engineKind: 'embedded',
    deploymentConfig: {
      runtimeClass: '',
      resources: { cpu: '1', memory: '512Mi', gpu: undefined },
    },
  });
  const template = templateOf(reconcile(embedded, { objects: [], now }));
  assert.equal('runtimeClassName' in template.spec, false);
  const [engine] = template.spec.containers;
  assert.deepEqual(engine?.command, ['spillway', 'engine', '--model']);
  assert.equal(engine?.lifecycle, undefined);
  assert.deepEqual(engine?.resources, {
    requests: { cpu: '1', memory: '512Mi' },
    limits: { cpu: '1', memory: '512Mi' },
  });
});

test('the selector of a Deployment that exists stays, whatever labels the resource gets', () => {
  const labelled = { ...runtime, metadata: { ...runtime.metadata, labels: { team: 'b' } } };
  const found = deployment(runtime, { app: 'vllmruntime-sample', team: 'a' });
  const { apply } = reconcile(labelled, { objects: [found], now });
  const spec = apply.find(({ kind }) => kind === 'Deployment')?.['spec'] as DeploymentSpec;
  assert.deepEqual(spec.selector.matchLabels, { app: 'vllmruntime-sample', team: 'a' });
  // Pods must match it, so the old value wins.
  assert.equal(spec.template.metadata.labels['team'], 'a');
});

test('what is no longer wanted is removed, except volumes', () => {
  const scaled = withSpec(runtime, {
    autoscalingConfig: { enabled: true, maxReplicas: 4 },
    storageConfig: { enabled: true },
  });
  const { apply } = reconcile(scaled, { objects: [], now });
  const plain = withSpec(runtime, { autoscalingConfig: undefined, storageConfig: undefined });
  const { remove } = reconcile(plain, { objects: apply, now });
  assert.deepEqual(
    remove.map(({ kind, name }) => `${kind} ${name}`),
    ['ScaledObject vllmruntime-sample-scaledobject'],
  );
});

test('objects of another owner are never removed', () => {
  const alien: KubernetesObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'vllmruntime-sample-x' },
  };
  assert.deepEqual(reconcile(runtime, { objects: [alien], now }).remove, []);
});

test('a volume that exists is applied only to grow it', () => {
  const claim = reconcile(runtime, { objects: [], now }).apply.find(
    ({ kind }) => kind === 'PersistentVolumeClaim',
  );
  assert.ok(claim);
  const kinds = (resource: Resource) =>
    reconcile(resource, { objects: [claim], now }).apply.map(({ kind }) => kind);
  assert.equal(kinds(runtime).includes('PersistentVolumeClaim'), false);
  assert.equal(
    kinds(withSpec(runtime, { storageConfig: { size: '20Gi' } })).includes('PersistentVolumeClaim'),
    true,
  );
});

test('a spec that the schema refuses changes nothing and says why', () => {
  const broken = withSpec(runtime, { deploymentConfig: { replicas: -1 } });
  const { apply, remove, status } = reconcile(broken, { objects: [], now });
  assert.deepEqual([apply, remove], [[], []]);
  assert.match(readyOf(status)['message'] ?? '', /^spec\.deploymentConfig\.replicas: .*\.$/);
  assert.equal(readyOf(status).reason, 'InvalidSpec');
});

test('a resource that is being deleted is left to Kubernetes', () => {
  const gone = { ...runtime, metadata: { ...runtime.metadata, deletionTimestamp: now } };
  assert.deepEqual(reconcile(gone, { objects: [], now }), {
    apply: [],
    remove: [],
    status: undefined,
    events: [],
  });
});

test('a router that is switched off has nothing', () => {
  const objects = reconcile(router, { objects: [], now }).apply;
  const off = withSpec(router, { enableRouter: false });
  const { apply, remove, status } = reconcile(off, { objects, now });
  assert.deepEqual(apply, []);
  assert.equal(remove.length, objects.length);
  assert.equal(readyOf(status).reason, 'Disabled');
});

test('Spillway’s router is started by its command, and stays alive without engines; upstream’s is its image’s', () => {
  const containerWith = (name: string) => {
    const image = { registry: 'docker.io', name };
    return containerOf(reconcile(withSpec(router, { image }), { objects: [], now }));
  };
  const ours = containerWith('you/spillway:0.1.0');
  assert.deepEqual(ours.command, ['spillway', 'router']);
  assert.deepEqual(ours.args.slice(-2), ['--shutdown-timeout', '120']);
  assert.match(JSON.stringify(ours.livenessProbe), /"\/livez"/);
  for (const name of ['lmcache/lmstack-router:latest', 'vllm-project/production-stack/router']) {
    const upstream = containerWith(name);
    assert.equal(upstream.command, undefined);
    assert.ok(!upstream.args.includes('--shutdown-timeout'));
    assert.match(JSON.stringify(upstream.livenessProbe), /"\/health"/);
  }
});

test('several of Spillway’s routers tell each other what they send, by a headless Service', () => {
  const made = (more: object) => {
    const image = { registry: '', name: 'you/spillway:0.1.0' };
    const reconciled = reconcile(withSpec(router, { image, ...more }), { objects: [], now });
    const services = reconciled.apply.filter(({ kind }) => kind === 'Service');
    const { args } = containerOf(reconciled);
    const at = args.indexOf('--router-peers');
    return { peers: at < 0 ? undefined : args[at + 1], services };
  };
  const { peers, services } = made({ replicas: 3, port: 8080 });
  const { name } = router.metadata;
  assert.equal(peers, `http://${name}-peers:8080`);
  assert.deepEqual(
    services.map(({ metadata }) => metadata.name),
    [name, `${name}-peers`],
  );
  const [front, all] = services.map(({ spec }) => spec as Readonly<Record<string, unknown>>);
  assert.deepEqual([all?.['clusterIP'], all?.['publishNotReadyAddresses']], ['None', true]);
  assert.deepEqual(all?.['selector'], front?.['selector']);
  for (const more of [
    { replicas: 1 },
    { replicas: 3, routerKind: 'upstream' },
    { replicas: 3, extraArgs: ['--router-peers', 'http://elsewhere:80'] },
  ]) {
    const { peers, services } = made(more);
    assert.ok(peers === undefined || peers === 'http://elsewhere:80');
    assert.equal(services.length, 1);
  }
});

test('a router with LMCache’s controller and coordinator gets their flags, and its Service their ports', () => {
  const lmcache = { lmcacheControllerPort: 9000, lmcacheCoordinatorPort: 9300, engineHashSeed: 0 };
  const made = (more: object) => {
    const spec = { ...lmcache, ...more };
    const reconciled = reconcile(withSpec(router, spec), { objects: [], now });
    const { args, ports } = containerOf(reconciled);
    const service = reconciled.apply.find(({ kind }) => kind === 'Service');
    assert.ok(service);
    const { ports: open } = service.spec as { ports: { name: string; port: number }[] };
    return {
      flags: args.filter((_, i) => /lmcache|hash-seed/.test(`${args[i - 1]} ${args[i]}`)),
      ports: ports.map(({ name, containerPort }) => `${name} ${containerPort}`).slice(1),
      open: open.map(({ name, port }) => `${name} ${port}`).slice(1),
    };
  };
  const image = { registry: 'ghcr.io', name: 'spillway:latest' };
  const controller = ['lmcache-pull 9000', 'lmcache-reply 9001', 'lmcache-beats 9002'];
  const flags = [
    ...['--lmcache-controller-port', '9000', '--lmcache-controller-reply-port', '9001'],
    ...['--lmcache-controller-heartbeat-port', '9002'],
  ];
  assert.deepEqual(made({ image, routingLogic: 'predictive' }), {
    flags: [...flags, '--lmcache-coordinator-port', '9300', '--engine-hash-seed', '0'],
    ports: [...controller, 'lmcache-fleet 9300'],
    open: [...controller, 'lmcache-fleet 9300'],
  });
  const upstream = { routerKind: 'upstream' };
  assert.deepEqual(made({ ...upstream, routingLogic: 'kvaware' }), {
    ...{ flags, ports: controller, open: controller },
  });
  assert.deepEqual(made({ ...upstream, routingLogic: 'session' }).flags, []);
});

test('a router may read pods, and nothing else', () => {
  const role = reconcile(router, { objects: [], now }).apply.find(({ kind }) => kind === 'Role');
  assert.deepEqual(role?.['rules'], [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  ]);
});

const states: readonly (readonly [string, object | undefined, string, string])[] = [
  ['has no status yet', undefined, 'Unknown', 'Starting'],
  ['has all pods', { replicas: 2, availableReplicas: 2, updatedReplicas: 2 }, 'Ready', 'PodsReady'],
  [
    'waits for pods',
    { replicas: 2, updatedReplicas: 2, unavailableReplicas: 2 },
    'Updating',
    'PodsStarting',
  ],
  [
    'replaces pods',
    { replicas: 3, availableReplicas: 2, updatedReplicas: 1, unavailableReplicas: 1 },
    'Updating',
    'PodsStarting',
  ],
  [
    'cannot make pods',
    { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }] },
    'NotReady',
    'DeploymentFailed',
  ],
];

for (const [what, status, readiness, reason] of states) {
  test(`a Deployment that ${what} is ${readiness}`, () => {
    const found = {
      ...deployment(runtime),
      ...(status && { status: { observedGeneration: 3, ...status } }),
    };
    const next = reconcile(runtime, { objects: [found], now }).status;
    assert.equal(next?.['modelStatus'], readiness);
    assert.equal(readyOf(next).reason, reason);
    assert.equal(next?.['selector'], 'app=vllmruntime-sample');
  });
}

test('the status of an older generation does not count', () => {
  const old = { observedGeneration: 2, replicas: 2, availableReplicas: 2, updatedReplicas: 2 };
  const found = { ...deployment(runtime), status: old };
  assert.equal(reconcile(runtime, { objects: [found], now }).status?.['modelStatus'], 'Updating');
});

test('a condition keeps its time until its status changes', () => {
  const ready = { observedGeneration: 3, replicas: 2, availableReplicas: 2, updatedReplicas: 2 };
  const observed: Observed = { objects: [{ ...deployment(runtime), status: ready }], now };
  const { status } = reconcile(runtime, observed);
  const refused = reconcile(
    { ...runtime, status },
    { ...observed, now: later, refusal: 'forbidden' },
  );
  assert.deepEqual(readyOf(refused.status), {
    ...readyOf(status),
    ...{ status: 'False', reason: 'Refused', message: 'forbidden', lastTransitionTime: later },
  });
  const again = reconcile(
    { ...runtime, status: refused.status },
    { ...observed, now: later, refusal: 'again' },
  );
  assert.equal(readyOf(again.status).lastTransitionTime, later);
});

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly resources: unknown;
  readonly lifecycle?: unknown;
  readonly livenessProbe?: unknown;
}

interface DeploymentSpec {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: {
      readonly containers: readonly Container[];
      readonly runtimeClassName?: string;
    };
  };
}

function templateOf({ apply }: Reconciled): DeploymentSpec['template'] {
  const [spec] = apply.flatMap((one) => (one.kind === 'Deployment' ? [one['spec']] : []));
  return (spec as DeploymentSpec).template;
}

function containerOf(reconciled: Reconciled): Container {
  return templateOf(reconciled).spec.containers[0] as Container;
}

function readyOf(status: Reconciled['status']): Readonly<Record<string, string>> {
  const conditions = status?.['conditions'] as readonly Readonly<Record<string, string>>[];
  return conditions.find(({ type }) => type === 'Ready') ?? {};
}

/** As the API server returns it. */
function asRead(sample: KubernetesObject): Resource {
  const metadata = {
    ...sample.metadata,
    namespace: 'default',
    uid: `uid-${sample.metadata.name}`,
    generation: 1,
  };
  return { ...sample, metadata } as unknown as Resource;
}

/** The same with other keys, one level below the sections of its spec. */
function withSpec(resource: Resource, change: Readonly<Record<string, unknown>>): Resource {
  const spec = { ...(resource.spec as Readonly<Record<string, unknown>>) };
  for (const [key, value] of Object.entries(change)) {
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    spec[key] = isSection ? { ...(spec[key] as object | undefined), ...value } : value;
  }
  return { ...resource, spec };
}

function deployment(
  owner: Resource,
  matchLabels: Readonly<Record<string, string>> = { app: owner.metadata.name },
): KubernetesObject {
  const { name } = owner.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...ownedMetadata(owner, name), generation: 3 },
    spec: { selector: { matchLabels } },
  };
}
