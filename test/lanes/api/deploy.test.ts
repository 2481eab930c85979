// The workflow against a whole control plane with fake nodes: deploy, status, smoke and teardown with a real Helm. Pods of fake
// nodes are ready but serve nothing; a scripted router at this machine's own address plays the router's pod where one must.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { freePorts } from '../../../src/io/processes/index.ts';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { fakeNode } from '../../support/kubernetes/kwok-stages.ts';
import { type RouterScript, scriptedRouter } from '../../support/scripted-router.ts';
import { until } from '../../support/until.ts';
import { upstreamChart } from '../chart/helm.ts';

const { TOOLS: tools = '' } = process.env;
const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 'spillway.mjs');
/** The API server does not connect to loopback addresses for others. */
const address = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
const noAddress =
  address === undefined ? 'this machine has no address but the loopback one' : false;

let cluster: ControlPlane;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-deploy-test-'));
  cluster = await ControlPlane.start({ tools, controllers: true });
  await cluster.expect('POST', '/api/v1/nodes', fakeNode('fake-1'));
});
after(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function spillway(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [launcher, ...words],
      {
        ...{ timeout: 200_000, maxBuffer: 32 << 20 },
        env: { ...process.env, KUBECONFIG: cluster.kubeconfig, ...environment },
      },
      (error, out, err) => resolve({ status: Number(error?.code ?? 0), out, err }),
    );
  });
}

let counter = 0;

async function valuesFile(values: object): Promise<string> {
  const file = join(folder, `values-${++counter}.yaml`);
  await writeFile(file, stringify(values));
  return file;
}

function stackOf(engines: number, more: object = {}): object {
  return {
    servingEngineSpec: {
      modelSpec: [
        {
          name: 'qwen',
          kind: 'embedded',
          modelURL: 'Qwen/Qwen3-8B',
          replicaCount: engines,
          ...more,
        },
      ],
    },
  };
}

const helmFlag = ['--helm', join(tools, 'helm3')];

/** Lists of all objects that a stack has in a namespace. */
async function objectsIn(namespace: string): Promise<string[]> {
  const lists = {
    '/api/v1': [
      'pods',
      'services',
      'secrets',
      'configmaps',
      'serviceaccounts',
      'persistentvolumeclaims',
    ],
    '/apis/apps/v1': ['deployments', 'replicasets'],
    '/apis/rbac.authorization.k8s.io/v1': ['roles', 'rolebindings'],
    '/apis/policy/v1': ['poddisruptionbudgets'],
  };
  const found: string[] = [];
  for (const [root, plurals] of Object.entries(lists)) {
    for (const plural of plurals) {
      const { items } = await cluster.expect('GET', `${root}/namespaces/${namespace}/${plural}`);
      for (const { metadata } of items as { metadata: { name: string } }[]) {
        found.push(`${plural}/${metadata.name}`);
      }
    }
  }
  return found.filter(
    (name) => !['configmaps/kube-root-ca.crt', 'serviceaccounts/default'].includes(name),
  );
}

async function podsOf(
  namespace: string,
  component: string,
): Promise<
  { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[]
> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app.kubernetes.io/component=${component}`;
  return (await cluster.expect('GET', path))['items'] as never;
}

/** Gives the pods of the router the address of this machine as soon as they have one, and so the Service, too. */
async function playRouter(namespace: string, release = 'vllm'): Promise<void> {
  await until(async () => {
    const all = await podsOf(namespace, 'router');
    const pods = all.filter(({ metadata }) => metadata.name.startsWith(`${release}-deployment`));
    const [pod] = pods;
    if (pods.length !== 1 || pod?.status.podIP === undefined) return false;
    const status = { podIP: address, podIPs: [{ ip: address }] };
    await cluster.expect(
      'PATCH',
      `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}/status`,
      { status },
    );
    return true;
  });
}

test('a dry run and a diff list what would be made, and make nothing', async () => {
  const file = await valuesFile(stackOf(2, {}));
  const dry = await spillway(['deploy', '-f', file, '-n', 'dry', '--dry-run', ...helmFlag]);
  assert.equal(dry.status, 0, dry.err);
  assert.match(dry.out, /^create Deployment vllm-deployment-router$/m);
  assert.match(dry.out, /^create Deployment vllm-qwen-deployment-vllm$/m);
  assert.match(dry.out, /^\d+ objects would change, 0 stay as they are\.$/m);
  assert.equal((await cluster.ask('GET', '/api/v1/namespaces/dry')).status, 404);

  const diff = await spillway(['deploy', '-f', file, '--diff', '--json', ...helmFlag]);
  assert.equal(diff.status, 0, diff.err);
  assert.match(diff.err, /^ {2}\+ {2}replicas: 2$/m);
  const { changes } = JSON.parse(diff.out) as { changes: { object: string; change: string }[] };
  assert.ok(changes.every(({ change }) => change === 'create'));
  // The API server's own Service is there in each cluster.
  assert.deepEqual(await objectsIn('default'), ['services/kubernetes']);
});

test('wrong input ends with status 2, a cluster that is not there with status 4', async () => {
  const file = await valuesFile(stackOf(1));
  const wrong = await valuesFile({ routerSpec: { routingLogics: 'x' } });
  const nowhere = join(folder, 'nowhere.kubeconfig');
  const [port] = await freePorts(1);
  await writeFile(
    nowhere,
    stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'gone' },
      clusters: [{ name: 'gone', cluster: { server: `https://127.0.0.1:${port}` } }],
      users: [{ name: 'me', user: { token: 't' } }],
      contexts: [{ name: 'gone', context: { cluster: 'gone', user: 'me' } }],
    }),
  );
  const away = { KUBECONFIG: nowhere };
  for (const [status, pattern, words, environment] of [
    [2, /routingLogics/, ['deploy', '-f', wrong], {}],
    [2, /no such file/, ['deploy', '-f', '/no/such'], {}],
    [2, /no context "other"; it has: test\./, ['deploy', '-f', file, '--context', 'other'], {}],
    [
      2,
      /no context of kind; create it with "kind create cluster"/,
      ['status', '--target', 'kind'],
      {},
    ],
    [
      2,
      /Bare metal needs hosts: name them with --hosts/,
      ['deploy', '-f', file, '--target', 'bare-metal'],
      {},
    ],
    [2, /Namespace default has no release vllm; it has none\./, ['status'], {}],
    [2, /--release A: a name has/, ['status', '--release', 'A'], {}],
    [
      4,
      /Cannot reach the cluster of context gone at https:.*ECONNREFUSED/,
      ['deploy', '-f', file, ...helmFlag],
      away,
    ],
    [4, /Cannot reach the cluster/, ['status'], away],
    [4, /Cannot reach the cluster/, ['smoke'], away],
    [4, /Cannot reach the cluster/, ['doctor'], away],
    [4, /Cannot reach the cluster/, ['teardown', ...helmFlag], away],
    [
      2,
      /Helm 3\.14 or newer is needed, and "helm-x" is not on the PATH/,
      ['deploy', '-f', file, '--helm', 'helm-x'],
      {},
    ],
  ] as const) {
    const ran = await spillway(words, environment);
    assert.deepEqual([words, ran.status], [words, status], ran.err);
    assert.match(ran.err, pattern);
  }
});

test('the doctor names what is missing, in the values and in the cluster', async () => {
  const doctor = async (values: object) => {
    const ran = await spillway(['doctor', '-f', await valuesFile(values), '--json']);
    assert.ok(ran.status === 0 || ran.status === 1, ran.err);
    const { checks } = JSON.parse(ran.out) as { checks: { name: string; result: string }[] };
    // What this machine has is not the test's.
    const results = checks.filter(({ name }) => name !== 'ports' && name !== 'helm');
    return [ran.status, ...results.map(({ name, result }) => `${name} ${result}`)];
  };
  // The values give the router no key; the cluster has 8 GPUs on one node, and no StorageClass.
  const rest = ['hugging face skipped', 'mirror skipped', 'access warning', 'context ok'];
  assert.deepEqual(await doctor(stackOf(2)), [
    ...[0, ...rest, 'rights ok', 'storage warning', 'gpu ok', 'room ok', 'images skipped'],
  ]);
  const big = { requestGPU: 9, requestCPU: 1, requestMemory: '1Gi', pvcStorage: '1Gi' };
  assert.deepEqual(await doctor(stackOf(1, big)), [
    ...[1, ...rest, 'rights ok', 'storage failed', 'gpu ok', 'room failed', 'images skipped'],
  ]);
});

test('pods that are ready but serve nothing do not count as deployed, and a first deployment is undone', async () => {
  const file = await valuesFile(stackOf(2));
  const ran = await spillway([
    'deploy',
    '-f',
    file,
    '-n',
    'silent',
    '--wait',
    '15s',
    '--rollback',
    ...helmFlag,
  ]);
  assert.equal(ran.status, 1, ran.err);
  assert.match(ran.out, /^engine qwen: 2\/2 ready$/m);
  assert.match(ran.out, /^router: 1\/1 ready$/m);
  assert.match(ran.out, /^failed: all pods are ready, but no completion was served within 15 s: /m);
  assert.match(ran.out, /^the deployment was uninstalled$/m);
  await until(async () => (await objectsIn('silent')).length === 0);
});

test('from a values file to a smoke test, an upgrade, a rollback, and nothing', {
  skip: noAddress,
}, async (t) => {
  const script: RouterScript = { models: ['Qwen/Qwen3-8B'], host: '0.0.0.0' };
  const { port } = await scriptedRouter(t, script);
  const namespace = 'whole';
  const values = (engines: number, more: object = {}) =>
    valuesFile({ ...stackOf(engines, more), routerSpec: { containerPort: port } });
  const common = ['-n', namespace, ...helmFlag];

  const first = spillway(['deploy', '-f', await values(2), ...common, '--json']);
  await playRouter(namespace);
  const installed = await first;
  assert.equal(installed.status, 0, installed.err);
  const json = JSON.parse(installed.out) as Record<string, unknown>;
  assert.deepEqual(
    [json['revision'], json['serving'], json['health'], json['chart']],
    [1, true, 'ready', 'spillway-0.1.0'],
  );
  assert.match(installed.err, /^engine qwen: 2\/2 ready$/m);

  const status = await spillway(['status', '-n', namespace]);
  assert.equal(status.status, 0, status.err);
  assert.match(status.out, /^vllm in whole: spillway-0\.1\.0, revision 1, deployed\n✓ /);

  // Fake pods share the address of their node, as pods of a host network do: only their names differ.
  const engines = (await podsOf(namespace, 'serving-engine')).map(({ metadata, status }) => ({
    ...{ url: `http://${status.podIP}:8000`, name: metadata.name },
  }));
  assert.equal(engines.length, 2);
  script.engines = engines.slice(0, 1);
  const lame = await spillway(['smoke', '-n', namespace]);
  assert.equal(lame.status, 1, lame.out + lame.err);
  assert.match(
    lame.out,
    new RegExp(`^✗ routing: ${engines[1]?.name} \\(.*\\) got none of 24 requests; 1 of 2`, 'm'),
  );
  script.engines = engines;
  const passed = await spillway(['smoke', '-n', namespace, '--json']);
  assert.equal(passed.status, 0, passed.err);
  assert.deepEqual(
    (JSON.parse(passed.out) as { checks: { name: string; result: string }[] }).checks.map(
      ({ name, result }) => `${name} ${result}`,
    ),
    ['models ok', 'chat ok', 'completion ok', 'stream ok', 'routing ok', 'metrics ok'],
  );

  // The router's pod stays, since its template does.
  const upgraded = await spillway(['deploy', '-f', await values(3), ...common]);
  assert.equal(upgraded.status, 0, upgraded.out + upgraded.err);
  assert.match(upgraded.out, /^engine qwen: 3\/3 ready$/m);

  const missing = await values(3, {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'In', values: ['x'] }] }],
  });
  const failed = await spillway(['deploy', '-f', missing, ...common, '--wait', '8s', '--rollback']);
  assert.equal(failed.status, 1, failed.err);
  assert.match(
    failed.out,
    /^failed: engine qwen is not ready within 8 s .*no node has a node with the wanted labels/m,
  );
  assert.match(failed.out, /^the deployment was rolled back to revision 2$/m);
  await until(async () => (await spillway(['status', '-n', namespace])).status === 0);

  const gone = await spillway(['teardown', ...common, '--delete-namespace']);
  assert.equal(gone.status, 0, gone.out + gone.err);
  assert.match(gone.out, /^Nothing is left\.$/m);
  assert.equal((await cluster.ask('GET', `/api/v1/namespaces/${namespace}`)).status, 404);
});

test('two groups run on nodes of their own, and are compared', { skip: noAddress }, async (t) => {
  const namespace = 'groups';
  const common = ['-n', namespace, ...helmFlag];
  const script: RouterScript = { models: ['Qwen/Qwen3-8B'], host: '0.0.0.0' };
  const { port } = await scriptedRouter(t, script);
  const file = await valuesFile({ ...stackOf(1), routerSpec: { containerPort: port } });

  const unlabelled = await spillway(['deploy', '-f', file, ...common, '--group', 'a']);
  assert.equal(unlabelled.status, 2);
  assert.match(
    unlabelled.err,
    /No node has the label spillway\/group=a: .*kubectl label node NODE/,
  );

  for (const group of ['a', 'b']) {
    const node = fakeNode(`group-${group}`) as { metadata: { labels?: object } };
    const labels = { ...node.metadata.labels, 'spillway/group': group };
    await cluster.expect('POST', '/api/v1/nodes', {
      ...node,
      metadata: { ...node.metadata, labels },
    });
    const deployed = spillway(['deploy', '-f', file, ...common, '--group', group, '--json']);
    await playRouter(namespace, `vllm-${group}`);
    const { status, out, err } = await deployed;
    assert.equal(status, 0, err);
    assert.equal(JSON.parse(out).release, `vllm-${group}`);
  }
  for (const component of ['router', 'serving-engine']) {
    for (const { metadata, spec } of await podsOf(namespace, component)) {
      assert.equal(spec.nodeName, `group-${metadata.name.slice('vllm-'.length)[0]}`, metadata.name);
    }
  }

  const load = ['--num-prompts', '24', '--request-rate', '40', '--random-output-len', '4'];
  const compared = await spillway([
    ...['compare', 'group:a', 'group:b', '-n', namespace, ...load],
    ...['--random-input-len', '8', '--json'],
  ]);
  assert.ok([0, 1, 3].includes(compared.status), compared.err);
  const { a, b } = JSON.parse(compared.out);
  assert.deepEqual(
    [a.group, b.group],
    [`group a (vllm-a in ${namespace})`, `group b (vllm-b in ${namespace})`],
  );
  const nobody = await spillway(['compare', 'group:c', 'group:b', '-n', namespace, ...load]);
  assert.deepEqual([nobody.status, /group:a and group:b/.test(nobody.err)], [2, true]);
});

test('status tells why pods do not start: no GPU, an image, a crash with the cause in its log', async () => {
  const namespace = 'sick';
  const engine = {
    kind: 'vllm',
    repository: 'vllm/vllm-openai',
    tag: 'v1',
    requestCPU: 1,
    requestMemory: '1Gi',
    requestGPU: 1,
  };
  const model = (name: string, more: object = {}) => ({
    name,
    modelURL: 'org/m',
    ...engine,
    ...more,
  });
  const values = await valuesFile({
    servingEngineSpec: {
      runtimeClassName: '',
      modelSpec: [model('big', { requestGPU: 9 }), model('image'), model('crash')],
    },
  });
  const deployed = spillway([
    'deploy',
    '-f',
    values,
    '-n',
    namespace,
    '--wait',
    '60s',
    ...helmFlag,
  ]);
  let early: Ran | undefined;
  void deployed.then((ran) => {
    early = ran;
  });
  await until(async () => {
    assert.equal(early, undefined, `deploy ended: ${early?.err}`);
    const found = await podsOf(namespace, 'serving-engine').catch(() => []);
    return found.filter(({ status }) => status.podIP).length === 2;
  });
  const pods = await podsOf(namespace, 'serving-engine');
  const setState = async (model: string, state: object) => {
    const pod = pods.find(({ metadata }) => metadata.name.includes(`-${model}-`));
    const status = {
      conditions: [{ type: 'Ready', status: 'False' }],
      containerStatuses: [
        {
          name: 'vllm',
          image: 'vllm/vllm-openai:v1',
          imageID: '',
          ready: false,
          started: false,
          restartCount: 0,
          ...state,
        },
      ],
    };
    await cluster.expect(
      'PATCH',
      `/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name}/status`,
      { status },
    );
  };
  await setState('image', {
    state: {
      waiting: {
        reason: 'ImagePullBackOff',
        message: 'Back-off pulling image "vllm/vllm-openai:v1": not found',
      },
    },
  });
  await setState('crash', {
    restartCount: 4,
    state: {
      waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' },
    },
    lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
  });
  const ended = await deployed;
  assert.equal(ended.status, 1, ended.err);
  assert.match(ended.out, /^failed: engine (image|crash) is not ready \(0\/1\): /m);
  const status = await spillway(['status', '-n', namespace]);
  assert.equal(status.status, 1);
  assert.match(
    status.out,
    /^! engine big: 0\/1 ready, pending: no node has nvidia\.com\/gpu\n {4}next: add nodes with free GPUs/m,
  );
  assert.match(
    status.out,
    /^✗ engine image: 0\/1 ready, image vllm\/vllm-openai:v1 cannot be pulled \(ImagePullBackOff\).*\n {4}next: check repository and tag/m,
  );
  assert.match(
    status.out,
    /^✗ engine crash: 0\/1 ready, vllm was killed because it used more memory than its limit, 4 restarts\n {4}next: raise requestMemory/m,
  );
  const json = JSON.parse((await spillway(['status', '-n', namespace, '--json'])).out) as {
    components: { name: string; cause: string }[];
  };
  assert.deepEqual(Object.fromEntries(json.components.map(({ name, cause }) => [name, cause])), {
    router: 'none',
    'engine big': 'unschedulable',
    'engine image': 'image',
    'engine crash': 'crash',
  });
  const gone = await spillway(['teardown', '-n', namespace, ...helmFlag]);
  assert.equal(gone.status, 0, gone.out + gone.err);
  assert.deepEqual(await objectsIn(namespace), []);
});

test('claims of upstream’s chart stay unless asked for', async () => {
  const namespace = 'claims';
  const values = await valuesFile(
    stackOf(1, {
      kind: 'vllm',
      repository: 'r',
      tag: 't',
      requestCPU: 1,
      requestMemory: '1Gi',
      requestGPU: 1,
      pvcStorage: '1Gi',
    }),
  );
  await promisify(execFile)(
    join(tools, 'helm3'),
    [
      ...['install', 'vllm', upstreamChart(), '-n', namespace, '--create-namespace'],
      ...['-f', values, '--set', 'servingEngineSpec.runtimeClassName='],
    ],
    { env: { ...process.env, KUBECONFIG: cluster.kubeconfig }, timeout: 120_000 },
  );
  const kept = await spillway(['teardown', '-n', namespace, ...helmFlag]);
  assert.equal(kept.status, 0, kept.out + kept.err);
  assert.match(
    kept.out,
    /^kept PersistentVolumeClaim vllm-qwen-storage-claim; --pvcs removes it$/m,
  );
  assert.deepEqual(await objectsIn(namespace), ['persistentvolumeclaims/vllm-qwen-storage-claim']);
  const gone = await spillway(['teardown', '-n', namespace, '--pvcs', ...helmFlag]);
  assert.equal(gone.status, 0, gone.out + gone.err);
  assert.deepEqual(await objectsIn(namespace), []);
  assert.match(gone.out, /^namespace claims has no release vllm$/m);
});
