// Faults of upstream's chart (0.1.12) that this chart does not have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Manifest, objects, one } from './helm.ts';

const basic = {
  ...{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.32.0', modelURL: 'org/model' },
  ...{ replicaCount: 2, requestCPU: 4, requestMemory: '16Gi', requestGPU: 1 },
};
const ray = { enabled: true, headNode: { requestCPU: 1, requestMemory: '1Gi', requestGPU: 1 } };
const stack = (entry: object, spec: object = {}, rest: object = {}) => ({
  servingEngineSpec: { modelSpec: [{ ...basic, ...entry }], ...spec },
  ...rest,
});
const podOf = (all: readonly Manifest[], ending = '-m-deployment-vllm') =>
  one(all, 'Deployment', ending)['spec'].template.spec;
const routerOf = (all: readonly Manifest[]) => podOf(all, '-deployment-router').containers[0];
const kinds = (all: readonly Manifest[]) => all.map(({ kind }) => kind);

test('an unknown key is refused, with its place', async () => {
  await assert.rejects(
    objects({ routerSpec: { routingLogics: 'session' } }),
    /at '\/routerSpec': additional properties 'routingLogics' not allowed/,
  );
  await assert.rejects(
    objects(stack({ vllmConfig: { maxModelLength: 1 } })),
    /additional properties 'maxModelLength' not allowed/,
  );
});

test('keys that only templates read, and serviceDiscovery external-only, are in the schema', async () => {
  const all = await objects(
    stack(
      { pdb: { enabled: true }, enableTool: true, toolCallParser: 'hermes' },
      {},
      { routerSpec: { serviceDiscovery: 'external-only' } },
    ),
  );
  assert.ok(kinds(all).includes('PodDisruptionBudget'));
  const { args } = routerOf(all);
  assert.equal(args[args.indexOf('--service-discovery') + 1], 'external-only');
  assert.ok(!args.includes('--k8s-namespace'));
});

test('KEDA triggers may be one map, and become a list', async () => {
  const trigger = { type: 'cron', metadata: { timezone: 'UTC' } };
  for (const triggers of [trigger, [trigger]]) {
    const all = await objects(stack({ keda: { enabled: true, triggers } }));
    assert.deepEqual(one(all, 'ScaledObject')['spec'].triggers, [trigger]);
  }
});

test("KEDA's default query finds the engines by the name that they serve, in their namespace", async () => {
  for (const [entry, name] of [
    [{}, 'org/model'],
    [{ vllmConfig: { extraArgs: ['--served-model-name', 'short', 'long'] } }, 'short'],
    [{ vllmConfig: { extraArgs: ['--served_model_name=other'] } }, 'other'],
  ] as const) {
    const all = await objects(stack({ ...entry, keda: { enabled: true, minReplicaCount: 1 } }));
    assert.deepEqual(
      one(all, 'ScaledObject')['spec'].triggers.map(({ metadata }: Manifest) => metadata['query']),
      [`sum(vllm:num_requests_waiting{namespace="default",model_name="${name}"})`],
    );
  }
});

test('an engine that is scaled to zero is woken by requests that the router counts', async () => {
  const all = await objects(stack({ keda: { enabled: true, minReplicaCount: 0 } }));
  const [, waking] = one(all, 'ScaledObject')['spec'].triggers;
  assert.match(waking.metadata.query, /vllm:num_incoming_requests_total.*model="org\/model"/);
  assert.equal(waking.metadata.activationThreshold, '0');
});

test('raySpec that is not enabled does not suppress the ScaledObject of the Deployment', async () => {
  const all = await objects(
    stack({ keda: { enabled: true }, raySpec: { ...ray, enabled: false } }),
  );
  assert.equal(one(all, 'ScaledObject')['spec'].scaleTargetRef.kind, 'Deployment');
});

test('an entry that is not enabled has no Service, claim, budget or ScaledObject', async () => {
  const all = await objects(
    stack({ enabled: false, pvcStorage: '1Gi', pdb: { enabled: true }, keda: { enabled: true } }),
  );
  assert.deepEqual(
    kinds(all).filter((kind) => /PodDis|Scaled/.test(kind)),
    [],
  );
  assert.ok(!all.some(({ metadata }) => metadata.name.includes('-m-engine')));
});

test('the claim of an entry that is not enabled stays, since it holds the model', async () => {
  const all = await objects(stack({ enabled: false, pvcStorage: '1Gi' }));
  assert.ok(one(all, 'PersistentVolumeClaim', '-m-storage-claim'));
});

test('the router may only list and watch what it looks at, and nothing with static discovery', async () => {
  const rules = async (routerSpec: object) =>
    one(await objects(stack({}, {}, { routerSpec })), 'Role')['rules'];
  const verbs = ['list', 'watch'];
  assert.deepEqual(await rules({}), [{ apiGroups: [''], resources: ['pods'], verbs }]);
  assert.deepEqual(await rules({ k8sServiceDiscoveryType: 'service-name' }), [
    { apiGroups: [''], resources: ['services'], verbs },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
  ]);
  assert.deepEqual(
    await rules({ serviceDiscovery: 'static', staticBackends: 'http://a', staticModels: 'm' }),
    [],
  );
});

test("with service-name the router asks the engines at their Service's port", async () => {
  const all = await objects(
    stack({}, {}, { routerSpec: { k8sServiceDiscoveryType: 'service-name' } }),
  );
  const { args } = routerOf(all);
  assert.equal(args[args.indexOf('--k8s-port') + 1], '80');
});

test('the LoRA controller may not change definitions, nor read more than it needs', async () => {
  const all = await objects({ loraController: { enableLoraController: true } });
  const rules = one(all, 'ClusterRole', '-lora-controller')['rules'] as {
    resources: string[];
    verbs: string[];
  }[];
  const ofResource = (name: string) =>
    rules.filter(({ resources }) => resources.includes(name)).flatMap(({ verbs }) => verbs);
  assert.deepEqual(ofResource('customresourcedefinitions'), ['get', 'list', 'watch']);
  assert.deepEqual(ofResource('secrets'), ['get', 'list', 'watch']);
  assert.equal(one(all, 'ServiceAccount', '-lora-controller').metadata['namespace'], 'default');
});

test('an empty vllmApiKey refers to no secret', async () => {
  const all = await objects(stack({}, { vllmApiKey: '' }));
  for (const container of [podOf(all).containers[0], routerOf(all)]) {
    assert.ok(!JSON.stringify(container.env ?? []).includes('VLLM_API_KEY'));
  }
});

test('hf_token with empty names refers to no secret', async () => {
  const all = await objects(stack({ hf_token: { secretName: '', secretKey: '' } }));
  assert.ok(!JSON.stringify(podOf(all)).includes('HF_TOKEN'));
});

test("the router's tokens are in the Secret, not in the Deployment", async () => {
  const all = await objects(
    stack({}, {}, { routerSpec: { hf_token: 'hush', apiKey: 'client', peersKey: 'peer' } }),
  );
  const router = JSON.stringify(one(all, 'Deployment', '-deployment-router'));
  for (const secret of ['hush', '"client"', '"peer"']) assert.ok(!router.includes(secret), secret);
  const { data } = one(all, 'Secret') as unknown as { data: Record<string, string> };
  assert.equal(Buffer.from(data['router_hf_token'] ?? '', 'base64').toString(), 'hush');
});

test('engines on another port are probed there, and the router finds them there', async () => {
  const all = await objects(stack({}, { containerPort: 9100 }));
  const [container] = podOf(all).containers;
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    assert.equal(container[probe].httpGet.port, 9100);
  }
  const { args } = routerOf(all);
  assert.equal(args[args.indexOf('--k8s-port') + 1], '9100');
});

test('a probe by a command is no HTTP probe, and a delay of 0 stays 0', async () => {
  const all = await objects(
    stack({}, { livenessProbe: { initialDelaySeconds: 0, exec: { command: ['true'] } } }),
  );
  const { livenessProbe } = podOf(all).containers[0];
  assert.equal(livenessProbe.initialDelaySeconds, 0);
  assert.equal(livenessProbe.httpGet, undefined);
  assert.deepEqual(livenessProbe.exec.command, ['true']);
});

test('numbers of a million and more are written out', async () => {
  const all = await objects(stack({ vllmConfig: { maxModelLen: 1_048_576 } }));
  const { command } = podOf(all).containers[0];
  assert.equal(command[command.indexOf('--max-model-len') + 1], '1048576');
});

test('a variable that env sets too is in the list once, so that server-side apply accepts it', async () => {
  const all = await objects(
    stack(
      { env: [{ name: 'HF_HOME', value: '/mine' }] },
      { env: [{ name: 'HF_HOME', value: '/all' }] },
    ),
  );
  const { env } = podOf(all).containers[0] as { env: { name: string; value?: string }[] };
  assert.deepEqual(
    env.filter(({ name }) => name === 'HF_HOME').map(({ value }) => value),
    ['/mine'],
  );
  assert.equal(new Set(env.map(({ name }) => name)).size, env.length);
});

test('labels of a pod do not replace those by which the Deployment selects it', async () => {
  const all = await objects(
    stack({ labels: { model: 'other' }, podLabels: { model: 'other', team: 'a' } }),
  );
  const deployment = one(all, 'Deployment', '-m-deployment-vllm');
  const { labels } = deployment['spec'].template.metadata;
  assert.equal(labels.model, 'm');
  assert.equal(labels.team, 'a');
  assert.deepEqual(deployment['spec'].selector.matchLabels.model, 'm');
  assert.equal((deployment.metadata['labels'] as Record<string, string>)['model'], 'other');
});

test('shared storage alone is mounted in the engine', async () => {
  const all = await objects(stack({}, {}, { sharedPvcStorage: { enabled: true } }));
  assert.deepEqual(podOf(all).containers[0].volumeMounts, [
    { name: 'vllm-shared-pvc-storage', mountPath: '/data/shared-pvc-storage' },
  ]);
});

test('maxUnavailable: 0 is a value', async () => {
  const all = await objects(stack({ pdb: { enabled: true, maxUnavailable: 0 } }));
  const { maxUnavailable, minAvailable } = one(all, 'PodDisruptionBudget')['spec'];
  assert.deepEqual([maxUnavailable, minAvailable], [0, undefined]);
});

test('GPU shares that are requested are also limits, as Kubernetes asks', async () => {
  const all = await objects(stack({ requestGPUMem: 3000, requestGPUCores: 10, limitGPUCores: 20 }));
  const { requests, limits } = podOf(all).containers[0].resources;
  assert.equal(requests['nvidia.com/gpumem'], '3000');
  assert.equal(limits['nvidia.com/gpumem'], '3000');
  assert.equal(limits['nvidia.com/gpucores'], '20');
});

test('enablePD: false is no disaggregated prefill, and lmcacheConfig needs no vllmConfig', async () => {
  const all = await objects(stack({ lmcacheConfig: { enabled: true, enablePD: false } }));
  const pod = podOf(all);
  const { command } = pod.containers[0];
  assert.deepEqual(JSON.parse(command[command.indexOf('--kv-transfer-config') + 1]), {
    kv_connector: 'LMCacheConnectorV1',
    kv_role: 'kv_both',
  });
  assert.equal(pod.hostIPC, undefined);
});

test('without enableRouter there is no autoscaler of the router', async () => {
  const routerSpec = { enableRouter: false, autoscaling: { enabled: true } };
  assert.ok(!kinds(await objects({ routerSpec })).includes('HorizontalPodAutoscaler'));
});

test("LMCache's controller is reached on the port that the values give", async () => {
  const all = await objects(
    stack({}, {}, { routerSpec: { repository: 'r/router', lmcacheControllerPort: 9100 } }),
  );
  const service = one(all, 'Service', '-router-service')['spec'].ports;
  assert.equal(service.find(({ name }: { name: string }) => name === 'lmcache-port').port, 9100);
  assert.equal(routerOf(all).ports[1].containerPort, 9100);
});

test('a chat template of a ConfigMap keeps its text', async () => {
  const chatTemplateConfigMap = "{% for m in messages %}\n  {{ m['role'] }}: 'é'\n{% endfor %}\n";
  for (const raySpec of [undefined, ray]) {
    const all = await objects(
      stack({ chatTemplate: 't.jinja', chatTemplateConfigMap, ...(raySpec && { raySpec }) }),
    );
    const config = one(all, 'ConfigMap', '-m-chat-templates');
    assert.deepEqual(config['data'], { 't.jinja': chatTemplateConfigMap });
  }
});

const rayOf = async (entry: object, spec: object = {}, rest: object = {}) =>
  objects(stack({ raySpec: ray, ...entry }, spec, rest));

test('Ray: the Service selects the head, and the router takes no worker for an engine', async () => {
  const all = await rayOf({});
  const { headGroupSpec, workerGroupSpecs } = one(all, 'RayCluster')['spec'];
  const { selector } = one(all, 'Service', '-engine-service')['spec'];
  const matches = (labels: Record<string, string>, wanted: Record<string, string>) =>
    Object.entries(wanted).every(([key, value]) => labels[key] === value);
  const [worker] = workerGroupSpecs;
  assert.ok(matches(headGroupSpec.template.metadata.labels, selector));
  assert.ok(!matches(worker.template.metadata.labels, selector));
  assert.ok(!matches(worker.template.metadata.labels, { environment: 'test', release: 'test' }));
});

test('Ray: every key of an entry reaches the pods', async () => {
  const all = await rayOf(
    {
      ...{ chatTemplate: 't.jinja', chatTemplateConfigMap: 'x', envFromSecret: { name: 'more' } },
      ...{ priorityClassName: 'high', affinity: { podAntiAffinity: {} }, podLabels: { team: 'a' } },
      vllmConfig: { runner: 'pooling', convert: 'embed', enablePrefixCaching: false },
    },
    { env: [{ name: 'ALL', value: '1' }] },
    { sharedPvcStorage: { enabled: true } },
  );
  const { headGroupSpec, workerGroupSpecs } = one(all, 'RayCluster')['spec'];
  for (const { template } of [headGroupSpec, ...workerGroupSpecs]) {
    const { spec, metadata } = template;
    const [container] = spec.containers;
    assert.equal(metadata.labels.team, 'a');
    assert.equal(spec.priorityClassName, 'high');
    assert.deepEqual(spec.affinity, { podAntiAffinity: {} });
    assert.deepEqual(container.envFrom, [{ secretRef: { name: 'more' } }]);
    assert.ok(container.env.some(({ name }: { name: string }) => name === 'ALL'));
    const mounted = container.volumeMounts.map(({ name }: { name: string }) => name);
    const volumes = spec.volumes.map(({ name }: { name: string }) => name);
    for (const name of ['vllm-m-chat-templates', 'vllm-shared-pvc-storage']) {
      assert.ok(mounted.includes(name) && volumes.includes(name), name);
    }
  }
  const script = one(all, 'ConfigMap', '-vllm-start-script')['data']['vllm-entrypoint.sh'];
  assert.match(script, / '--chat-template' '\/templates\/t\.jinja'/);
  assert.match(script, / '--no-enable-prefix-caching'.* '--runner' 'pooling' '--convert' 'embed'/);
});

test('Ray: arguments reach vLLM as they are, whatever characters they have', async () => {
  const extraArgs = ["it's", '"quoted" $HOME `id`', '{"a": "b"}'];
  const all = await rayOf({ vllmConfig: { extraArgs } });
  const script = one(all, 'ConfigMap', '-vllm-start-script')['data'][
    'vllm-entrypoint.sh'
  ] as string;
  const line = script.split('\n').find((each) => each.includes('exec vllm')) ?? '';
  const { execFileSync } = await import('node:child_process');
  const printed = execFileSync('bash', ['-c', line.replace('exec vllm', "printf '%s\\n'")]);
  assert.deepEqual(printed.toString().trimEnd().split('\n').slice(-3), extraArgs);
});

test('labels and images that Kubernetes would refuse are refused with their place', async () => {
  const refused = async (entry: object, says: RegExp) => {
    await assert.rejects(objects(stack(entry)), says);
  };
  await refused({ podLabels: { team: 'a/b' } }, /modelSpec\[0\]\.podLabels\.team: "a\/b" cannot/);
  await refused({ nodeSelector: { 'a/b/c': 'x' } }, /nodeSelector: "a\/b\/c" cannot be the key/);
  await refused({ annotations: { 'a b': 'x' } }, /annotations: "a b" cannot be the key/);
  const tolerations = [{ key: 'gpu', operator: 'Equal', value: 'not here' }];
  await refused({ tolerations }, /tolerations\[0\]\.value: "not here" cannot be the value/);
  await refused({ repository: 'vllm/vllm-openai:v1' }, /"vllm\/vllm-openai:v1" is not the name/);
  await refused({ tag: 'v 1' }, /tag "v 1" of image vllm\/vllm-openai is not a tag/);
  const initContainer = { name: 'i', image: 'A/b' };
  await refused({ initContainer }, /init container i, "A\/b" is not the name of an image/);
  assert.ok(await objects(stack({ podLabels: { team: 'a.b_c-1', empty: '', n: 7 } })));
  for (const repository of ['localhost:5000/a', 'ghcr.io/a/b__c', 'busybox', 'a.b/c/d-e']) {
    assert.ok(await objects(stack({ repository })), repository);
  }
});

test('KubeRay bounds the name of an entry on Ray', async () => {
  assert.ok(await objects(stack({ name: 'm'.repeat(37), raySpec: ray })));
  await assert.rejects(
    objects(stack({ name: 'm'.repeat(38), raySpec: ray })),
    /with release "vllm" at most 37 characters with KubeRay\. Use "m{37}"/,
  );
});
