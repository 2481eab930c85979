// Values as people write them reach Kubernetes as it asks for them, and names that it would refuse are refused before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helms, type Manifest, objects, one, withUmbrella } from './helm.ts';

const entry = {
  ...{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.32.0', modelURL: 'org/model' },
  ...{ replicaCount: 2, requestCPU: 4, requestMemory: '16Gi', requestGPU: 1 },
};
const stack = (more: object = {}, spec: object = {}, rest: object = {}) => ({
  servingEngineSpec: { modelSpec: [{ ...entry, ...more }], ...spec },
  ...rest,
});
const deployment = (all: readonly Manifest[], ending = '-m-deployment-vllm') =>
  one(all, 'Deployment', ending);
const podOf = (all: readonly Manifest[], ending?: string) =>
  deployment(all, ending)['spec'].template.spec;
const wordAfter = (words: readonly string[], flag: string) => words[words.indexOf(flag) + 1];
const variable = ({ env }: { env: { name: string; value?: string }[] }, name: string) =>
  env.find((each) => each.name === name)?.value;

for (const program of helms) {
  test(`numbers in quotes are numbers, with ${program}`, async () => {
    const all = await objects(
      stack(
        { replicaCount: '3', vllmConfig: { maxModelLen: '1048576', gpuMemoryUtilization: '0.85' } },
        { containerPort: '9100', startupProbe: { periodSeconds: '20' } },
        { routerSpec: { replicaCount: '1', drainSeconds: '30' } },
      ),
      { program },
    );
    const [container] = podOf(all).containers;
    assert.equal(wordAfter(container.command, '--max-model-len'), '1048576');
    assert.equal(container.ports[0].containerPort, 9100);
    assert.equal(container.startupProbe.periodSeconds, 20);
    assert.equal(deployment(all)['spec'].replicas, 3);
    assert.equal(podOf(all, '-deployment-router').terminationGracePeriodSeconds, 40);
  });
}

for (const program of helms) {
  test(`booleans in quotes are booleans, with ${program}`, async () => {
    const all = await objects(
      stack(
        {
          ...{ enableLoRA: 'true', pdb: { enabled: 'false' }, keda: { enabled: 'False' } },
          vllmConfig: { enableChunkedPrefill: 'TRUE', enablePrefixCaching: 'false' },
        },
        { enableEngine: 'True' },
        { cacheserverSpec: { enabled: 'false' }, routerSpec: { enableRouter: 'false' } },
      ),
      { program },
    );
    const kinds = all.map(({ kind }) => kind).filter((kind) => /Depl|Disr|Scaled/.test(kind));
    assert.deepEqual(kinds, ['Deployment']);
    const [{ command }] = podOf(all).containers;
    for (const word of [
      '--enable-lora',
      '--enable-chunked-prefill',
      '--no-enable-prefix-caching',
    ]) {
      assert.ok(command.includes(word), word);
    }
    const idle = await objects(stack({ enabled: 'false' }), { program });
    assert.ok(!idle.some(({ metadata }) => metadata.name.includes('-m-')));
    await assert.rejects(objects(stack({ enableLoRA: 'enabled' }), { program }), /enableLoRA/);
  });
}

test('numbers and booleans among arguments are texts, for every program', async () => {
  const words = ['--a', 0, '--b', 1048576, '--c', true];
  const texts = ['--a', '0', '--b', '1048576', '--c', 'true'];
  const initContainer = { name: 'init', image: 'busybox', command: words, args: words };
  const all = await objects(
    stack(
      { vllmConfig: { extraArgs: words }, initContainer },
      {},
      {
        routerSpec: { extraArgs: words },
        cacheserverSpec: { enabled: true, extraArgs: words },
        loraController: { enableLoraController: true, extraArgs: words },
      },
    ),
  );
  const [init] = podOf(all).initContainers;
  for (const found of [
    podOf(all).containers[0].command,
    init.command,
    init.args,
    podOf(all, '-deployment-router').containers[0].args,
    podOf(all, '-deployment-cache-server').containers[0].command,
    podOf(all, '-lora-controller').containers[0].args,
  ]) {
    const start = found.indexOf('--a');
    assert.deepEqual(found.slice(start, start + texts.length), texts);
  }
});

test('numbers and booleans in env are texts in every container', async () => {
  const env = [
    { name: 'A', value: true },
    { name: 'B', value: 1048576 },
    { name: 'C', value: 0.5 },
    { name: 'D', value: null },
    { name: 'E', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ];
  const initContainer = { name: 'init', image: 'busybox', env };
  const headNode = { requestCPU: 1, requestMemory: '1Gi', requestGPU: 1, initContainer };
  const rest = {
    routerSpec: { env },
    cacheserverSpec: { enabled: true, env },
    loraController: { enableLoraController: true, env },
  };
  const all = await objects(stack({ env, initContainer }, {}, rest));
  const shared = await objects(stack({ raySpec: { enabled: true, headNode } }, { env }));
  const { headGroupSpec, workerGroupSpecs } = one(shared, 'RayCluster')['spec'];
  const head = headGroupSpec.template.spec;
  for (const container of [
    podOf(all).containers[0],
    podOf(all).initContainers[0],
    podOf(all, '-deployment-router').containers[0],
    podOf(all, '-deployment-cache-server').containers[0],
    podOf(all, '-lora-controller').containers[0],
    head.containers[0],
    head.initContainers[0],
    workerGroupSpecs[0].template.spec.containers[0],
  ]) {
    const values = ['A', 'B', 'C', 'D', 'E'].map((name) => variable(container, name));
    assert.deepEqual(values, ['true', '1048576', '0.5', '', undefined]);
  }
});

test('numbers and booleans in labels, annotations and settings are texts', async () => {
  const map = { a: 1, b: true };
  const texts = { a: '1', b: 'true' };
  const all = await objects(
    stack(
      { podAnnotations: map, podLabels: map, nodeSelector: map, annotations: map },
      { configs: map },
      { routerSpec: { podAnnotations: map, nodeSelector: map, serviceAnnotations: map } },
    ),
  );
  const { metadata, spec } = deployment(all)['spec'].template;
  assert.deepEqual(metadata.annotations, texts);
  assert.partialDeepStrictEqual(metadata.labels, texts);
  assert.deepEqual(spec.nodeSelector, texts);
  assert.deepEqual(one(all, 'ConfigMap', '-configs')['data'], texts);
  assert.deepEqual(podOf(all, '-deployment-router').nodeSelector, texts);
  assert.deepEqual(one(all, 'Service', '-router-service').metadata['annotations'], texts);
});

test('a key without a value has its default; a list or a map without one is empty', async () => {
  const plain = await objects(stack());
  for (const rest of [
    { routerSpec: null, cacheserverSpec: null, sharedPvcStorage: null, spillway: null },
    { routerSpec: { autoscaling: null, otel: null, containerPort: null, replicaCount: null } },
    { loraAdapters: null, extraObjects: null, grafanaDashboards: null },
  ]) {
    assert.deepEqual(await objects(stack({}, {}, rest)), plain, JSON.stringify(rest));
  }
  assert.deepEqual(
    await objects(stack({ vllmConfig: null, hf_token: null, tolerations: null, env: null })),
    plain,
  );
  const bare = await objects(
    stack({}, { livenessProbe: null, runtimeClassName: null }, { routerSpec: { resources: null } }),
  );
  assert.equal(podOf(bare).containers[0].livenessProbe, undefined);
  assert.equal(podOf(bare).runtimeClassName, undefined);
  assert.equal(podOf(bare, '-deployment-router').containers[0].resources, undefined);
});

test('anchors may be kept below a key x-…, and a parent chart may switch this one on', async () => {
  const plain = await objects(stack());
  assert.deepEqual(await objects({ 'x-common': { any: ['thing'] }, ...stack() }), plain);
  const umbrella = withUmbrella();
  for (const enabled of [true, false]) {
    const all = await objects(
      { global: { team: 'a' }, spillway: { enabled, ...stack() } },
      { chart: umbrella },
    );
    assert.equal(all.length > 0, enabled);
  }
});

test('router, cache server and LoRA controller run where their keys say, as engines do', async () => {
  const tolerations = [{ key: 'pool', operator: 'Equal', value: true }];
  const terms = [{ matchExpressions: [{ key: 'pool', operator: 'In', values: [1] }] }];
  const placement = {
    ...{ tolerations, nodeSelectorTerms: terms, nodeSelector: { disk: 'ssd' } },
    ...{ priorityClassName: 'high', runtimeClassName: 'gvisor', schedulerName: 'mine' },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone' }],
    ...{ podAnnotations: { note: 'x' }, podLabels: { team: 'a' }, annotations: { note: 'z' } },
    envFromSecret: { name: 'more' },
    extraVolumes: [{ name: 'v', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'v', mountPath: '/v' }],
    imagePullSecrets: [{ name: 'pull' }],
  };
  const all = await objects({
    routerSpec: placement,
    cacheserverSpec: { ...placement, enabled: true },
    loraController: { ...placement, enableLoraController: true },
  });
  for (const ending of ['-deployment-router', '-deployment-cache-server', '-lora-controller']) {
    const { metadata, ['spec']: spec } = deployment(all, ending);
    const { template } = spec;
    const pod = template.spec;
    assert.deepEqual(pod.tolerations, [{ ...tolerations[0], value: 'true' }], ending);
    const { nodeAffinity } = pod.affinity;
    const [term] = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;
    assert.deepEqual(term.matchExpressions[0].values, ['1']);
    assert.deepEqual(pod.nodeSelector, { disk: 'ssd' });
    assert.deepEqual(
      [pod.priorityClassName, pod.runtimeClassName, pod.schedulerName],
      ['high', 'gvisor', 'mine'],
    );
    const [spread] = pod.topologySpreadConstraints;
    assert.deepEqual(spread.labelSelector.matchLabels, spec.selector.matchLabels);
    assert.deepEqual(template.metadata.annotations, { note: 'x' });
    assert.equal(template.metadata.labels.team, 'a');
    assert.deepEqual(metadata['annotations'], { note: 'z' });
    const [container] = pod.containers;
    assert.deepEqual(container.envFrom, [{ secretRef: { name: 'more' } }]);
    assert.ok(container.volumeMounts.some(({ name }: { name: string }) => name === 'v'));
    assert.deepEqual(pod.imagePullSecrets, [{ name: 'pull' }]);
  }
});

test('a name that Kubernetes refuses is refused, with one that would do', async () => {
  for (const [name, other] of [
    ['qwen2.5', 'qwen2-5'],
    ['Qwen_Big', 'qwen-big'],
    ['meta-llama/Llama-3.1-8B', 'meta-llama-llama-3-1-8b'],
    ['a'.repeat(70), 'a'.repeat(43)],
    ['-a-', 'a'],
  ] as const) {
    await assert.rejects(
      objects(stack({ name })),
      new RegExp(`modelSpec\\[0\\]\\.name .* cannot be part of names .* Use \\\\?"${other}\\\\?"`),
    );
    const all = await objects(stack({ name: other }));
    assert.ok(deployment(all, `-${other}-deployment-vllm`));
  }
  await assert.rejects(
    objects({ servingEngineSpec: { modelSpec: [entry, entry] } }),
    /modelSpec\[1\]\.name "m" is the name of two entries/,
  );
});

test('a release whose objects would have longer names than Kubernetes allows is refused', async () => {
  for (const [length, rest, suffix] of [
    [48, {}, 'router-service'],
    [42, { cacheserverSpec: { enabled: true } }, 'cache-server-service'],
    [44, { sharedPvcStorage: { enabled: true } }, 'shared-pvc-storage'],
  ] as const) {
    await objects(rest, { release: 'r'.repeat(length) });
    await assert.rejects(
      objects(rest, { release: 'r'.repeat(length + 1) }),
      new RegExp(`${suffix} may have at most 63 characters.* at most ${length} characters`),
    );
  }
  for (const release of ['my.release', '7b']) {
    await assert.rejects(objects({}, { release }), /names of Services begin with it/);
  }
});

test('an entry of engines that run elsewhere, or that is off, may have any name', async () => {
  await objects({
    servingEngineSpec: {
      modelSpec: [
        { name: 'Qwen_2.5', kind: 'url', urls: ['http://a'], modelURL: 'm' },
        { ...entry, name: 'Off_1', enabled: false },
      ],
    },
    routerSpec: { serviceDiscovery: 'static' },
  });
});

test('a control character is refused wherever it is, with its place', async () => {
  for (const values of [
    stack({ modelURL: 'a\u0007b' }),
    stack({ modelURL: 'a\nb' }),
    stack({ env: [{ name: 'A', value: 'a\u0000b' }] }),
    stack({ affinity: { any: [{ thing: 'a\u001bb' }] } }),
    stack({}, {}, { routerSpec: { extraArgs: ['a\u007fb'] } }),
  ]) {
    await assert.rejects(objects(values), /control character|does not match pattern/);
  }
  const script = 'set -e\n\texec true\r\n';
  const all = await objects(stack({ initContainer: { name: 'i', image: 'b', args: [script] } }));
  assert.deepEqual(podOf(all).initContainers[0].args, [script]);
});

test('maxUnavailablePodDisruptionBudget limits the engines without a budget of their own', async () => {
  const budgets = async (bound: unknown, ...entries: object[]) =>
    (
      await objects({
        servingEngineSpec: { maxUnavailablePodDisruptionBudget: bound, modelSpec: entries },
      })
    ).filter(({ kind }) => kind === 'PodDisruptionBudget');
  const own = { ...entry, name: 'own', pdb: { enabled: true } };
  for (const bound of [1, '25%', 0]) {
    const all = await budgets(bound, entry, own);
    const shared = all.find(({ metadata }) => metadata.name === 'vllm-pdb');
    assert.equal(shared?.['spec'].maxUnavailable, bound);
    assert.deepEqual(shared?.['spec'].selector.matchExpressions[0].values, ['m']);
    assert.equal(all.length, 2);
  }
  assert.equal((await budgets('1', entry))[0]?.['spec'].maxUnavailable, 1);
  // The default of charts 0.0.2 to 0.1.10, whose budget selected no pod.
  assert.deepEqual(await budgets('', entry), []);
});
