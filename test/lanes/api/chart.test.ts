// The chart against a real API server: every object is accepted with strict validation, a release of upstream's chart is
// upgraded in place and rolled back, and the router's service account may do what it needs and nothing else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { installDefinitions } from '../../support/kubernetes/foreign-definitions.ts';
import {
  chart,
  type Manifest,
  objects,
  upstream,
  upstreamChart,
  upstreamValues,
} from '../chart/helm.ts';

const { TOOLS: tools = '' } = process.env;
let cluster: ControlPlane;

before(async () => {
  cluster = await ControlPlane.start({ tools });
  await installDefinitions(cluster);
});
after(() => cluster?.close());

const irregular: Readonly<Record<string, string>> = {
  Ingress: 'ingresses',
  NetworkPolicy: 'networkpolicies',
};
const ofCluster = ['ClusterRole', 'ClusterRoleBinding', 'PersistentVolume'];

function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = irregular[kind] ?? `${kind.toLowerCase()}s`;
  return ofCluster.includes(kind)
    ? `${group}/${plural}`
    : `${group}/namespaces/${metadata['namespace'] ?? 'default'}/${plural}`;
}

/** Each object is created with validation of all its fields, but not kept. */
async function accepted(all: readonly Manifest[]): Promise<void> {
  for (const one of all) {
    if (one.kind === 'LoraAdapter') continue;
    const { status, body } = await cluster.ask(
      'POST',
      `${pathOf(one)}?dryRun=All&fieldValidation=Strict`,
      one,
    );
    const reason = status === 201 ? '' : JSON.parse(body).message;
    assert.equal(status, 201, `${one.kind} ${one.metadata.name}: ${reason}`);
  }
}

const vllm = {
  ...{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.32.0', modelURL: 'org/model-70b' },
  ...{
    requestCPU: 4,
    requestMemory: '16Gi',
    requestGPU: 1,
    requestGPUMem: 3000,
    pvcStorage: '50Gi',
  },
  ...{ enableLoRA: true, chatTemplate: 't.jinja', chatTemplateConfigMap: 'x', shmSize: '1Gi' },
  ...{ pdb: { enabled: true, maxUnavailable: 0 }, keda: { enabled: true, minReplicaCount: 0 } },
  vllmConfig: { tensorParallelSize: 2, kvEvents: true },
  lmcacheConfig: { enabled: true, cpuOffloadingBufferSize: 20 },
  initContainer: { name: 'init', image: 'busybox', mountPvcStorage: true },
};
const embedded = { name: 'e', kind: 'embedded', modelURL: 'Qwen/Qwen3-8B', replicaCount: 4 };
const ray = {
  ...{ ...vllm, name: 'r', keda: undefined, pdb: undefined },
  raySpec: { enabled: true, headNode: { requestCPU: 1, requestMemory: '1Gi', requestGPU: 1 } },
};

const everything = {
  servingEngineSpec: {
    modelSpec: [vllm, embedded, ray],
    ...{ vllmApiKey: 'k', configs: { A: 'b' }, serviceMonitor: { enabled: true } },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' },
    ],
  },
  routerSpec: {
    ...{
      replicaCount: 2,
      pdb: { enabled: true, minAvailable: 1 },
      serviceMonitor: { enabled: true },
    },
    ...{ autoscaling: { enabled: true }, ingress: { enabled: true }, hf_token: 't' },
    ...{ apiKey: 'k', peersKey: 'p' },
    route: { main: { enabled: true, hostnames: ['a.example'], parentRefs: [{ name: 'g' }] } },
  },
  cacheserverSpec: { enabled: true },
  sharedPvcStorage: { enabled: true, hostPath: '/x' },
  grafanaDashboards: { enabled: true },
  loraController: { enableLoraController: true, pdb: { enabled: true } },
  spillway: {
    ...{ prometheusRule: { enabled: true }, networkPolicy: { enabled: true } },
    gate: { enabled: true },
  },
};

test('the API server accepts every object of a stack with all features, all fields validated', async () => {
  for (const values of [
    {},
    everything,
    { servingEngineSpec: { modelSpec: [vllm], restricted: true, drainSeconds: 0 } },
    { routerSpec: { serviceDiscovery: 'static', staticBackends: 'http://a', staticModels: 'm' } },
  ]) {
    const all = await objects(values);
    assert.ok(all.length > 4);
    await accepted(all);
  }
});

test('the definitions of KEDA, Prometheus Operator, KubeRay and Gateway API validate: a field that they lack is refused', async () => {
  const all = await objects(everything);
  const kinds = ['ScaledObject', 'ServiceMonitor', 'PrometheusRule', 'RayCluster', 'HTTPRoute'];
  for (const kind of kinds) {
    const found = all.find((one) => one.kind === kind) ?? assert.fail(`no ${kind}`);
    const wrong = { ...found, spec: { ...found['spec'], nonsense: 1 } };
    await assert.rejects(accepted([wrong]), /unknown field \\?"spec\.nonsense/);
  }
});

test('the API server accepts what the values files of upstream render to', async (context) => {
  for (const file of upstreamValues) {
    await context.test(file, async () => {
      const all = await objects(undefined, { files: [join(upstream, file)] });
      // They ask for half a GPU, which no cluster has.
      if (/values-01-2pods/.test(file)) {
        await assert.rejects(
          accepted(all),
          /nvidia.com\/gpu\]: Invalid value: "500m": must be an integer/,
        );
      } else await accepted(all);
    });
  }
});

const helm = async (program: string, ...words: readonly string[]) =>
  promisify(execFile)(join(tools, program), words, {
    ...{ timeout: 120_000, maxBuffer: 32 << 20 },
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
  });

/** What must stay over an upgrade: who an object is, its address, its claim. */
async function identities(namespace: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const path of ['/api/v1', '/apis/apps/v1']) {
    for (const plural of path === '/api/v1'
      ? ['services', 'persistentvolumeclaims']
      : ['deployments']) {
      const { items } = (await cluster.expect(
        'GET',
        `${path}/namespaces/${namespace}/${plural}`,
      )) as {
        items: Manifest[];
      };
      for (const { metadata, spec } of items) {
        found[`${plural} ${metadata.name}`] = [metadata['uid'], spec.clusterIP, spec.resources];
      }
    }
  }
  return found;
}

for (const [from, to] of [
  ['helm3', 'helm3'],
  // Helm 4 cannot install upstream's chart with this file: it lists HF_HOME twice, which server-side apply refuses.
  ['helm3', 'helm4'],
] as const) {
  test(`${to} upgrades a release of upstream's chart in place, and rolls it back`, async () => {
    const namespace = `upgrade-${to}`;
    await cluster.expect('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const theirs = upstreamChart();
    const values = join(upstream, 'tutorials/assets/values-17-kv-aware.yaml');
    const common = ['vllm', '--namespace', namespace];
    await helm(from, 'install', ...common.slice(0, 1), theirs, ...common.slice(1), '-f', values);
    const before = await identities(namespace);
    assert.ok(Object.keys(before).length >= 5, JSON.stringify(before));
    await helm(to, 'upgrade', 'vllm', chart, ...common.slice(1), '-f', values);
    assert.deepEqual(await identities(namespace), before);
    const router = await cluster.expect(
      'GET',
      `/apis/apps/v1/namespaces/${namespace}/deployments/vllm-deployment-router`,
    );
    assert.match(JSON.stringify(router), /"image":"spillway:0\.1\.0"/);
    await helm(to, 'rollback', ...common, '1');
    assert.deepEqual(await identities(namespace), before);
    await helm(to, 'uninstall', ...common);
    // Without controllers nobody takes the finalizer off a claim.
    const left = Object.keys(await identities(namespace));
    assert.ok(
      left.every((name) => name.startsWith('persistentvolumeclaims ')),
      left.join(),
    );
  });
}

test("the router's service account may list and watch pods, and nothing else", async () => {
  const namespace = 'rights';
  await cluster.expect('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  await helm('helm3', 'install', 'vllm', chart, '--namespace', namespace);
  const can = async (verb: string, resource: string, group = '', where = namespace) => {
    const review = await cluster.expect(
      'POST',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      {
        spec: {
          user: `system:serviceaccount:${namespace}:vllm-router-service-account`,
          resourceAttributes: { namespace: where, verb, resource, group },
        },
      },
    );
    return (review['status'] as { allowed: boolean }).allowed;
  };
  for (const verb of ['list', 'watch']) assert.equal(await can(verb, 'pods'), true, verb);
  for (const verb of ['get', 'create', 'patch', 'update', 'delete']) {
    assert.equal(await can(verb, 'pods'), false, verb);
  }
  for (const resource of ['secrets', 'configmaps', 'services', 'nodes', 'pods/exec', 'pods/log']) {
    for (const verb of ['get', 'list', 'watch', 'create']) {
      assert.equal(await can(verb, resource), false, `${verb} ${resource}`);
    }
  }
  assert.equal(await can('list', 'deployments', 'apps'), false);
  assert.equal(await can('list', 'pods', '', 'kube-system'), false);
});
