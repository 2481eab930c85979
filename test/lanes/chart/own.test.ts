// What this chart has beside upstream's: its own image, embedded engines, security, draining, more objects.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { chart, helms, type Manifest, objects, one, withoutSubcharts } from './helm.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const vllm = {
  ...{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.32.0', modelURL: 'org/model-8b' },
  ...{ requestCPU: 4, requestMemory: '16Gi', requestGPU: 1 },
};
const embedded = { name: 'e', kind: 'embedded', modelURL: 'Qwen/Qwen3-8B', replicaCount: 4 };
const engines = (...modelSpec: object[]) => ({ servingEngineSpec: { modelSpec } });
const podOf = (all: readonly Manifest[], ending: string) =>
  one(all, 'Deployment', ending)['spec'].template.spec;
const routerOf = (all: readonly Manifest[]) => podOf(all, '-deployment-router');
const after = (words: readonly string[], flag: string) => words[words.indexOf(flag) + 1];

for (const program of helms) {
  test(`${program} lint accepts the chart`, async () => {
    const { stdout } = await promisify(execFile)(program, ['lint', '--strict', chart]);
    assert.match(stdout, /0 chart\(s\) failed/);
  });
}

test("upstream's router image stands for Spillway's router, which runs as `spillway router`", async () => {
  for (const repository of [
    'lmcache/lmstack-router',
    'ghcr.io/vllm-project/production-stack/router',
  ]) {
    const [container] = routerOf(
      await objects({ routerSpec: { repository, tag: 'x' } }),
    ).containers;
    assert.equal(container.image, 'spillway:0.1.0');
    assert.deepEqual(container.command, ['spillway', 'router']);
  }
});

test('another router image is run as it is, with flags of upstream only', async () => {
  const routerSpec = { repository: 'docker.io/lmcache/lmstack-router', tag: 'v1', replicaCount: 3 };
  const pod = routerOf(await objects({ routerSpec }));
  assert.equal(pod.containers[0].image, 'docker.io/lmcache/lmstack-router:v1');
  assert.equal(pod.containers[0].command, undefined);
  assert.ok(!pod.containers[0].args.includes('--shutdown-timeout'));
  assert.ok(!pod.containers[0].args.includes('--router-peers'));
});

test("what Spillway's router lacks keeps upstream's router", async () => {
  const all = await objects({ routerSpec: { serviceDiscovery: 'external-only', tag: 'pd' } });
  assert.equal(routerOf(all).containers[0].image, 'lmcache/lmstack-router:pd');
});

test('engines that prefill are those of the router’s arguments, or those whose LMCache produces KV', async () => {
  const argsOf = async (routerSpec: object, ...roles: readonly object[]) => {
    const entries = roles.map((lmcacheConfig, i) => ({ ...vllm, name: `m${i}`, lmcacheConfig }));
    const logic = { routingLogic: 'disaggregated_prefill_orchestrated', ...routerSpec };
    return routerOf(await objects({ ...engines(...entries), routerSpec: logic })).containers[0]
      .args;
  };
  const [sends, receives] = [{ nixlRole: 'sender' }, { kvRole: 'kv_consumer' }];
  const found = await argsOf({}, { kvRole: 'kv_producer' }, receives, sends);
  assert.equal(after(found, '--prefill-model-labels'), 'm0,m2');
  assert.equal(after(found, '--decode-model-labels'), 'm1');
  const extraArgs = ['--prefill-model-labels', 'm1', '--decode-model-labels', 'm0'];
  const disaggregation = { decodePolicy: 'predictive', remotePrefillTokensMin: 64 };
  const given = await argsOf({ extraArgs, disaggregation }, {}, {});
  assert.equal(given.filter((word: string) => word === '--prefill-model-labels').length, 1);
  assert.equal(after(given, '--decode-policy'), 'predictive');
  assert.equal(after(given, '--remote-prefill-tokens-min'), '64');
  await assert.rejects(argsOf({}, sends), /no engine of modelSpec has the role decode/);
});

test("spillway.routingLogic takes precedence for Spillway's router", async () => {
  const all = await objects({
    routerSpec: { routingLogic: 'prefixaware' },
    spillway: { routingLogic: 'predictive' },
  });
  assert.equal(after(routerOf(all).containers[0].args, '--routing-logic'), 'predictive');
});

test('images are named by digest where one is given', async () => {
  const all = await objects({
    ...engines({ ...vllm, tag: undefined, digest }, embedded),
    cacheserverSpec: { enabled: true, image: { digest } },
    loraController: { enableLoraController: true, image: { digest } },
    spillway: { image: { repository: 'registry.example/spillway', digest } },
  });
  const images = all
    .filter(({ kind }) => kind === 'Deployment')
    .map((each) => each['spec'].template.spec.containers[0].image);
  assert.equal(images.length, 5);
  for (const image of images) assert.ok(image.endsWith(`@${digest}`), image);
});

test('embedded engines are pods of the own image: no GPU, no runtime class, no pull of a model', async () => {
  const all = await objects(engines(embedded));
  const pod = podOf(all, '-e-deployment-vllm');
  const [container] = pod.containers;
  assert.equal(container.image, 'spillway:0.1.0');
  assert.deepEqual(container.command.slice(0, 4), [
    'spillway',
    'engine',
    '--model',
    'Qwen/Qwen3-8B',
  ]);
  assert.equal(pod.runtimeClassName, undefined);
  assert.deepEqual(Object.keys(container.resources.requests), ['memory', 'cpu']);
  assert.equal(container.env, undefined);
  assert.equal(container.startupProbe.periodSeconds, 1);
});

test('pods of the own image meet the restricted Pod Security Standard', async () => {
  const all = await objects({
    ...engines(embedded),
    spillway: { gate: { enabled: true } },
  });
  const pods = [
    routerOf(all),
    podOf(all, '-e-deployment-vllm'),
    one(all, 'CronJob')['spec'].jobTemplate.spec.template.spec,
  ];
  for (const pod of pods) meetsRestricted(pod);
});

test('with servingEngineSpec.restricted vLLM meets it too, and can write where it must', async () => {
  const all = await objects({ servingEngineSpec: { modelSpec: [vllm], restricted: true } });
  const pod = podOf(all, '-m-deployment-vllm');
  meetsRestricted(pod);
  const env = Object.fromEntries(
    pod.containers[0].env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );
  assert.deepEqual([env['HOME'], env['HF_HOME']], ['/tmp', '/tmp']);
  assert.ok(
    pod.containers[0].volumeMounts.some(
      ({ mountPath }: { mountPath: string }) => mountPath === '/tmp',
    ),
  );
});

/** @see https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
function meetsRestricted(pod: Manifest): void {
  assert.equal(pod['securityContext'].seccompProfile.type, 'RuntimeDefault');
  assert.ok(pod['securityContext'].runAsUser > 0);
  assert.equal(pod['hostPID'] ?? pod['hostIPC'] ?? pod['hostNetwork'], undefined);
  for (const { securityContext } of pod['containers']) {
    assert.equal(securityContext.runAsNonRoot, true);
    assert.equal(securityContext.allowPrivilegeEscalation, false);
    assert.equal(securityContext.readOnlyRootFilesystem, true);
    assert.deepEqual(securityContext.capabilities.drop, ['ALL']);
  }
}

test('the startup probe allows more time for larger models, and what startupSeconds says', async () => {
  const allowed = async (entry: object) => {
    const all = await objects(engines({ ...vllm, ...entry }));
    const { startupProbe } = podOf(all, '-m-deployment-vllm').containers[0];
    const deadline = one(all, 'Deployment', '-m-deployment-vllm')['spec'].progressDeadlineSeconds;
    const seconds = startupProbe.periodSeconds * startupProbe.failureThreshold;
    assert.ok(deadline >= Math.min(seconds, 1200), `${deadline}`);
    return seconds;
  };
  assert.equal(await allowed({ modelURL: 'facebook/opt-125m' }), 600);
  assert.equal(await allowed({ modelURL: 'Qwen/Qwen3-8B' }), 600);
  assert.equal(await allowed({ modelURL: 'meta-llama/Llama-3.1-70B-Instruct' }), 1700);
  assert.equal(await allowed({ modelURL: 'mistralai/Mixtral-8x7B-v0.1' }), 1420);
  assert.equal(await allowed({ modelURL: 'Qwen/Qwen2.5-0.5B-Instruct' }), 600);
  assert.equal(await allowed({ startupSeconds: 90 }), 90);
});

test('pods get the time to finish: engines drain before SIGTERM, the router after it', async () => {
  const all = await objects({
    servingEngineSpec: { modelSpec: [vllm, embedded], drainSeconds: 60 },
    routerSpec: { drainSeconds: 45 },
  });
  const pod = podOf(all, '-m-deployment-vllm');
  assert.match(pod.containers[0].lifecycle.preStop.exec.command.at(-1), /monotonic\(\) \+ 60\n/);
  assert.equal(pod.terminationGracePeriodSeconds, 90);
  const own = podOf(all, '-e-deployment-vllm').containers[0].command;
  assert.equal(after(own, '--shutdown-timeout'), '60');
  assert.equal(after(routerOf(all).containers[0].args, '--shutdown-timeout'), '45');
  assert.equal(routerOf(all).terminationGracePeriodSeconds, 55);
  const none = await objects({ servingEngineSpec: { modelSpec: [vllm], drainSeconds: 0 } });
  assert.equal(podOf(none, '-m-deployment-vllm').containers[0].lifecycle, undefined);
});

test('a router whose engines take long to start is not ready, but is not restarted', async () => {
  const [container] = routerOf(await objects({})).containers;
  assert.equal(container.readinessProbe.httpGet.path, '/health');
  assert.equal(container.startupProbe.httpGet.path, '/livez');
  assert.equal(container.livenessProbe.httpGet.path, '/livez');
  const [own] = routerOf(
    await objects({ routerSpec: { livenessProbe: { httpGet: { path: '/mine' } } } }),
  ).containers;
  assert.equal(own.livenessProbe.httpGet.path, '/mine');
});

test('several routers share what they send, through a headless Service', async () => {
  const all = await objects({ routerSpec: { replicaCount: 2 } });
  const service = one(all, 'Service', '-router-peers')['spec'];
  assert.equal(service.clusterIP, 'None');
  assert.deepEqual(service.selector, one(all, 'Service', '-router-service')['spec'].selector);
  const { args } = routerOf(all).containers[0];
  assert.equal(after(args, '--router-peers'), 'http://vllm-router-peers:8000');
  const alone = await objects({});
  assert.ok(!alone.some(({ metadata }) => metadata.name.endsWith('-router-peers')));
});

test('several routers that check an API key need a key for each other, without which they would not start', async () => {
  const routerSpec = { apiKey: 'client', autoscaling: { enabled: true } };
  await assert.rejects(objects({ routerSpec }), /set routerSpec\.peersKey/);
  const secret = { secretName: 'keys', secretKey: 'peers' };
  const all = await objects({ routerSpec: { ...routerSpec, peersKey: secret } });
  const { env } = routerOf(all).containers[0];
  assert.deepEqual(
    env.find(({ name }: { name: string }) => name === 'SPILLWAY_ROUTER_PEERS_KEY'),
    {
      name: 'SPILLWAY_ROUTER_PEERS_KEY',
      valueFrom: { secretKeyRef: { name: 'keys', key: 'peers' } },
    },
  );
});

test('engines at URLs are the backends of static discovery, and no pods', async () => {
  const entry = { name: 'u', kind: 'url', urls: ['http://a:1', 'http://b:2'], modelURL: 'org/m' };
  const all = await objects({ ...engines(entry), routerSpec: { serviceDiscovery: 'static' } });
  const { args } = routerOf(all).containers[0];
  assert.equal(after(args, '--static-backends'), 'http://a:1,http://b:2');
  assert.equal(after(args, '--static-models'), 'org/m,org/m');
  assert.equal(all.filter(({ kind }) => kind === 'Deployment').length, 1);
  await assert.rejects(objects(engines(entry)), /set routerSpec.serviceDiscovery to static/);
});

test('settings of the router become its flags where they differ from its defaults', async () => {
  const all = await objects({
    routerSpec: {
      ...{ timeouts: { firstByte: 30, request: 0 }, migration: false, slowStart: 0 },
      ...{ admission: { queueTimeout: 2 }, tokenizer: ['hub'], drainDelay: 3 },
    },
    spillway: { dashboard: false },
  });
  const { args } = routerOf(all).containers[0];
  assert.equal(after(args, '--first-byte-timeout'), '30');
  assert.equal(after(args, '--queue-timeout'), '2');
  assert.equal(after(args, '--slow-start'), '0');
  assert.equal(after(args, '--drain-delay'), '3');
  for (const flag of ['--no-migration', '--no-dashboard']) assert.ok(args.includes(flag), flag);
  for (const flag of ['--request-timeout', '--connect-timeout', '--saturation-wait']) {
    assert.ok(!args.includes(flag), flag);
  }
});

test('a router with a certificate is probed, scraped and known to its peers by https', async () => {
  const all = await objects({
    routerSpec: {
      ...{ replicaCount: 2, serviceMonitor: { enabled: true } },
      tls: { cert: '/tls/tls.crt', key: '/tls/tls.key' },
      engineTls: { serverName: 'engines' },
    },
  });
  const [container] = routerOf(all).containers;
  assert.equal(after(container.args, '--tls-cert'), '/tls/tls.crt');
  assert.equal(after(container.args, '--engine-tls-server-name'), 'engines');
  assert.equal(after(container.args, '--router-peers'), 'https://vllm-router-peers:8000');
  assert.equal(container.readinessProbe.httpGet.scheme, 'HTTPS');
  assert.equal(one(all, 'ServiceMonitor')['spec'].endpoints[0].scheme, 'https');
});

test('the cache server is Spillway’s, and LMCache’s for any other image than upstream’s default', async () => {
  const containerOf = async (spec: object) => {
    const all = await objects({ cacheserverSpec: { enabled: true, ...spec } });
    const ports = one(all, 'Service', '-cache-server-service')['spec'].ports;
    const isShared = all.some(({ metadata }) => metadata.name.endsWith('-cache-server-peers'));
    assert.equal(isShared, 'replicaCount' in spec);
    return { ports, ...podOf(all, '-deployment-cache-server').containers[0] };
  };
  const own = await containerOf({ memory: '4GiB', extraArgs: ['--disk', '/data'] });
  assert.equal(own.image, 'spillway:0.1.0');
  assert.equal(
    own.command.join(' '),
    'spillway cache --host 0.0.0.0 --port 8000 --resp-port 6379 --http-port 9400 --memory 4GiB --eviction lru --disk /data',
  );
  assert.deepEqual(own.readinessProbe.httpGet, { path: '/ready', port: 9400 });
  assert.deepEqual(own.livenessProbe.httpGet, { path: '/health', port: 9400 });
  assert.equal(own.livenessProbe.exec, undefined);
  assert.deepEqual(
    own.ports.map(({ containerPort, port }: Record<string, number>) => containerPort ?? port),
    [8000, 6379, 9400],
  );
  const several = await containerOf({ replicaCount: 3 });
  assert.equal(after(several.command, '--peers'), 'vllm-cache-server-peers:6379');
  const kept = await containerOf({ image: { repository: 'docker.io/lmcache/vllm-openai' } });
  assert.deepEqual(kept.command, ['/opt/venv/bin/lmcache_server', '0.0.0.0', '8000']);
  assert.equal(kept.ports.length, 1);
  assert.ok(kept.livenessProbe.exec);
});

test('several cache servers know each other by a key of a Secret, which the chart makes unless the values name one', async () => {
  const cache = async (spec: object) => {
    const all = await objects({ cacheserverSpec: { enabled: true, replicaCount: 2, ...spec } });
    const container = podOf(all, '-deployment-cache-server').containers[0];
    const variable = (container.env ?? []).find(
      ({ name }: { name: string }) => name === 'SPILLWAY_CACHE_PEERS_KEY',
    );
    const secrets = all.filter(({ kind }) => kind === 'Secret') as unknown as {
      metadata: { name: string };
      data: Record<string, string>;
    }[];
    const dataOf = (name: string) => secrets.find(({ metadata }) => metadata.name === name)?.data;
    return { from: variable?.valueFrom.secretKeyRef, dataOf, text: JSON.stringify(container) };
  };
  const own = await cache({});
  assert.deepEqual(own.from, { name: 'vllm-cache-server-peers', key: 'key' });
  const made = Buffer.from(own.dataOf('vllm-cache-server-peers')?.['key'] ?? '', 'base64');
  assert.match(made.toString(), /^[A-Za-z0-9]{48}$/);
  assert.ok(!own.text.includes(made.toString()));
  const given = await cache({ peersKey: 'hush' });
  assert.deepEqual(given.from, { name: 'vllm-secrets', key: 'cache_peers_key' });
  const kept = given.dataOf('vllm-secrets')?.['cache_peers_key'] ?? '';
  assert.equal(Buffer.from(kept, 'base64').toString(), 'hush');
  assert.equal(given.dataOf('vllm-cache-server-peers'), undefined);
  const named = await cache({ peersKey: { secretName: 's', secretKey: 'k' } });
  assert.deepEqual(named.from, { name: 's', key: 'k' });
  const alone = await cache({ replicaCount: 1 });
  assert.equal(alone.from, undefined);
  assert.equal(alone.dataOf('vllm-cache-server-peers'), undefined);
});

// biome-ignore lint/suspicious/noExplicitAny: parts of manifests, which the test reads as they are.
type Any = any;

/** Whether a selector of Kubernetes matches labels. */
function selects(selector: Any, labels: Record<string, string>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator }: Record<string, string>) => {
      assert.equal(operator, 'Exists');
      return Object.hasOwn(labels, key as string);
    })
  );
}

/** Whether the policies let a pod open a port of another one: each pod that a policy selects is closed to all others. */
function admits(policies: readonly Any[], from: Any, to: Any, port: number): boolean {
  const ofPod = policies.filter(({ spec }) => selects(spec.podSelector, to));
  return (
    ofPod.length === 0 ||
    ofPod.some(({ spec }) =>
      spec.ingress.some(
        (rule: Any) =>
          (rule.ports ?? [{ port }]).some((one: Any) => one.port === port) &&
          rule.from.some(({ podSelector }: Any) => selects(podSelector, from)),
      ),
    )
  );
}

test('network policies leave open what a stack needs, and close the rest', async () => {
  const shards = {
    ...{ ...vllm, name: 'shards', requestGPU: 8, replicaCount: 2 },
    raySpec: { enabled: true, headNode: { requestCPU: 2, requestMemory: '20Gi', requestGPU: 8 } },
  };
  const all = await objects({
    ...engines(vllm, embedded, shards),
    cacheserverSpec: { enabled: true, replicaCount: 2 },
    loraController: { enableLoraController: true },
    spillway: {
      networkPolicy: { enabled: true, from: [{ podSelector: { matchLabels: { app: 'mine' } } }] },
    },
  });
  const labelsOf = (name: string) => one(all, 'Deployment', name)['spec'].template.metadata.labels;
  const ray = one(all, 'RayCluster')['spec'];
  const pods: Record<string, Any> = {
    engine: labelsOf('-m-deployment-vllm'),
    head: ray.headGroupSpec.template.metadata.labels,
    worker: ray.workerGroupSpecs[0].template.metadata.labels,
    router: labelsOf('-deployment-router'),
    cache: labelsOf('-deployment-cache-server'),
    lora: labelsOf('-lora-controller'),
    prometheus: { 'app.kubernetes.io/name': 'prometheus' },
    mine: { app: 'mine' },
    other: { app: 'other' },
    otherRelease: { ...labelsOf('-m-deployment-vllm'), 'helm-release-name': 'other' },
  };
  const policies = all.filter(({ kind }) => kind === 'NetworkPolicy');
  const may = (from: string, to: string, port: number) =>
    admits(policies, pods[from], pods[to], port);
  for (const [from, to, port] of [
    ['router', 'engine', 8000],
    // LMCache's controller in the router opens the workers in engines.
    ['router', 'engine', 8300],
    ['router', 'head', 8000],
    // P2P of LMCache, the side channel of NIXL, Ray.
    ['engine', 'engine', 8200],
    ['engine', 'engine', 5600],
    ['head', 'worker', 10_002],
    ['worker', 'head', 6379],
    ['worker', 'worker', 10_002],
    ['engine', 'cache', 8000],
    ['engine', 'cache', 6379],
    ['worker', 'cache', 8000],
    ['cache', 'cache', 6379],
    ['lora', 'engine', 8000],
    ['lora', 'head', 8000],
    ['prometheus', 'engine', 8000],
    ['prometheus', 'cache', 9400],
    ['mine', 'engine', 8000],
    // The router is open: clients are anywhere, engines report to its controller, and routers meet.
    ['other', 'router', 8000],
    ['engine', 'router', 9000],
    ['router', 'router', 9700],
  ] as const) {
    assert.ok(may(from, to, port), `${from} → ${to}:${port}`);
  }
  for (const [from, to, port] of [
    ['other', 'engine', 8000],
    ['other', 'worker', 10_002],
    ['otherRelease', 'engine', 8200],
    ['other', 'cache', 6379],
    ['prometheus', 'cache', 6379],
    ['cache', 'engine', 8000],
  ] as const) {
    assert.ok(!may(from, to, port), `not ${from} → ${to}:${port}`);
  }
});

test('alerts name their namespace, and the gate asks for it', async () => {
  const all = await objects(
    { spillway: { prometheusRule: { enabled: true }, gate: { enabled: true } } },
    { namespace: 'prod' },
  );
  const text = JSON.stringify(one(all, 'PrometheusRule')['spec']);
  assert.ok(!text.includes('NAMESPACE'));
  assert.ok(text.includes('namespace=\\"prod\\"'));
  const { command } = one(all, 'CronJob')['spec'].jobTemplate.spec.template.spec.containers[0];
  assert.equal(after(command, '--selector'), 'namespace="prod"');
});

test('a tree of all features renders with every program, and has no object twice', async () => {
  for (const program of helms) {
    const all = await objects(
      {
        ...engines(vllm, embedded),
        cacheserverSpec: { enabled: true },
        grafanaDashboards: { enabled: true },
        loraController: { enableLoraController: true, pdb: { enabled: true } },
        routerSpec: { replicaCount: 3, pdb: { enabled: true }, ingress: { enabled: true } },
        sharedPvcStorage: { enabled: true, hostPath: '/x' },
        spillway: { networkPolicy: { enabled: true }, gate: { enabled: true } },
      },
      { program },
    );
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.deepEqual(names, [...new Set(names)]);
    for (const { metadata, kind } of all) {
      if (kind.startsWith('Cluster') || kind === 'PersistentVolume') continue;
      assert.equal(metadata['namespace'], 'default', metadata.name);
    }
  }
});

/** Returns what Helm prints after an installation, which "helm template" does not render. */
async function notesOf(values: object): Promise<string> {
  const copy = withoutSubcharts(chart, 'notes');
  copyFileSync(join(copy, 'templates/NOTES.txt'), join(copy, 'notes'));
  writeFileSync(
    join(copy, 'templates/configmap.yaml'),
    'kind: ConfigMap\nmetadata: { name: notes }\ndata:\n  notes: {{ tpl (.Files.Get "notes") . | quote }}\n',
  );
  return one(await objects(values, { chart: copy }), 'ConfigMap', 'notes')['data'].notes;
}

test('the notes say how the API is reached, and what has no effect', async () => {
  assert.match(await notesOf({}), /port-forward service\/vllm-router-service 8000:80\n/);
  assert.doesNotMatch(await notesOf({}), /Without effect/);
  const controller = await notesOf({ routerSpec: { lmcacheControllerPort: 9000 } });
  assert.doesNotMatch(controller, /Without effect/);
  assert.match(
    await notesOf({ routerSpec: { serviceDiscovery: 'external-only', tag: 'pd' } }),
    /The router is lmcache\/lmstack-router:pd: .* routerSpec\.serviceDiscovery: external-only yet/,
  );
});

test('the notes name the keys without effect, with what to use instead', async () => {
  const notes = await notesOf({
    ...engines({ ...embedded, imagePullPolicy: 'Always' }),
    cacheserverSpec: { tag: 'v1' },
  });
  assert.match(notes, /modelSpec\[\]\.imagePullPolicy: .*Use servingEngineSpec\.imagePullPolicy/);
  assert.match(notes, /cacheserverSpec\.tag: .*Use image\.tag/);
  assert.ok(!notes.includes('cacheserverSpec.repository'));
});
