// Rollouts of the operator with Kubernetes' own Deployment controller: new engines before old ones go, a version that does not
// serve is rolled back, and an operator that ends in between is continued by another one. Pods are kwok's.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { manifests, versionLabel } from '../../../src/core/operator/index.ts';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { fakeNode, neverReady } from '../../support/kubernetes/kwok-stages.ts';
import { operatorAccess, startedOperator } from '../../support/started-operator.ts';
import { until } from '../../support/until.ts';

interface Loaded {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly image: string }[];
  };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const tools = process.env['TOOLS'] ?? '';
const path = '/apis/production-stack.vllm.ai/v1alpha1/namespaces/default/vllmruntimes';
let cluster: ControlPlane;

before(async () => {
  cluster = await ControlPlane.start({ tools, controllers: true });
  await cluster.expect('POST', '/api/v1/nodes', fakeNode('fake-1'));
  const objects = manifests({ namespace: 'spillway-system', image: 'none', replicas: 1 });
  for (const object of objects as readonly Loaded[]) {
    const { apiVersion, kind } = object;
    // The operator is in this process.
    if (kind === 'Deployment') continue;
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const isWide = /^(CustomResourceDefinition|Namespace|ClusterRole|ClusterRoleBinding)$/.test(
      kind,
    );
    const within = isWide ? '' : '/namespaces/spillway-system';
    await cluster.expect('POST', `${root}${within}/${kind.toLowerCase()}s`, object);
  }
  await until(async () => (await cluster.ask('GET', path)).status === 200);
});
after(() => cluster?.close());

test('a version is replaced without a missing engine, and one that does not serve is rolled back, by another leader', async (t) => {
  const first = await startOperator(t, 'a');
  await create('rolled', {
    rollout: { startupSeconds: 15, minReadySeconds: 1, maxUnavailable: 0 },
  });
  await until(async () => (await progressing('rolled')).reason === 'VersionServed');
  const watching = watchReady('rolled');

  await change('rolled', { image: { registry: '', name: 'vllm/vllm-openai:v2' } });
  await until(async () => (await images('rolled')).every((image) => image.endsWith(':v2')));
  await until(async () => (await progressing('rolled')).reason === 'VersionServed');
  const { servedVersion: good } = await rolloutOf('rolled');

  await change('rolled', {
    image: { registry: '', name: 'vllm/vllm-openai:broken' },
    podAnnotations: { [neverReady]: 'true' },
  });
  await until(async () => (await images('rolled')).some((image) => image.endsWith(':broken')));
  await first.close();
  const second = await startOperator(t, 'b');
  await until(() => second.election?.isLeader === true);
  await until(async () => (await progressing('rolled')).reason === 'RolledBack');
  assert.ok((await images('rolled')).every((image) => image.endsWith(':v2')));
  const { version, servedVersion, failedVersion } = await rolloutOf('rolled');
  assert.deepEqual([servedVersion, failedVersion], [good, version]);
  const labels = (await pods('rolled')).map(({ metadata }) => metadata.labels[versionLabel]);
  assert.deepEqual(labels, [good, good, good, good]);
  assert.equal((await progressing('rolled')).status, 'False');
  await until(async () => (await eventsOf('rolled')).includes('Warning RolledBack'));

  // Scaling goes on, and a corrected spec is tried.
  await cluster.expect('PATCH', `${path}/rolled/scale`, { spec: { replicas: 5 } });
  await until(async () => (await pods('rolled')).filter(isReady).length === 5);
  await change('rolled', {
    image: { registry: '', name: 'vllm/vllm-openai:v3' },
    podAnnotations: null,
  });
  await until(async () => (await images('rolled')).every((image) => image.endsWith(':v3')));
  await until(async () => (await progressing('rolled')).reason === 'VersionServed');

  const { fewestReady, mostPods } = await watching();
  t.diagnostic(`ready at least ${fewestReady} of 4, pods at most ${mostPods}`);
  assert.equal(fewestReady, 4, 'maxUnavailable 0');
  assert.ok(mostPods <= 7, `5 and a surge of 25 %: ${mostPods}`);
});

test('a version whose engines crash, or whose image cannot be had, is rolled back long before its deadline', async (t) => {
  await startOperator(t);
  await create('crashing', { rollout: { startupSeconds: 3600, minReadySeconds: 1 } });
  await until(async () => (await progressing('crashing')).reason === 'VersionServed');
  const crash = {
    ...{ name: 'vllm', image: 'vllm', imageID: '', ready: false, started: false, restartCount: 2 },
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting' } },
    lastState: {
      terminated: { exitCode: 2, reason: 'Error', message: 'vllm: error: no such flag --maxlen\n' },
    },
  };
  const noImage = {
    ...{ name: 'vllm', image: 'vllm', imageID: '', ready: false, started: false, restartCount: 0 },
    state: { waiting: { reason: 'ImagePullBackOff', message: 'vllm/vllm-openai:no: not found' } },
  };
  for (const [image, container, why] of [
    [
      'crash',
      crash,
      /container vllm crashes \(exit status 2 after 2 restarts\): vllm: error: no such flag --maxlen/,
    ],
    ['no', noImage, /container vllm: ImagePullBackOff: vllm\/vllm-openai:no: not found/],
  ] as const) {
    await change('crashing', {
      image: { registry: '', name: `vllm/vllm-openai:${image}` },
      podAnnotations: { [neverReady]: 'true' },
    });
    const scheduled = async () =>
      (await pods('crashing')).filter(
        ({ spec }) =>
          spec.nodeName !== undefined && spec.containers[0]?.image.endsWith(`:${image}`),
      );
    await until(async () => (await scheduled()).length > 0);
    const since = performance.now();
    // A kubelet of a node would write it; the pods of a surge come one after the other.
    await until(async () => {
      for (const { metadata } of await scheduled()) {
        const status = { phase: 'Running', containerStatuses: [container] };
        const pod = `/api/v1/namespaces/default/pods/${metadata.name}/status`;
        await cluster.ask('PATCH', pod, { status });
      }
      return (await progressing('crashing')).reason === 'RolledBack';
    });
    t.diagnostic(`${image}: back after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    assert.match((await progressing('crashing')).message, why);
    assert.match((await rolloutOf('crashing'))['failure'] ?? '', why);
    assert.ok((await images('crashing')).every((one) => one.endsWith(':v1')));
  }
  await until(async () => (await eventsOf('crashing')).includes('Warning RollingBack'));
});

test('the definition refuses a rollout that cannot make progress, and what is no number', async () => {
  const refused = async (rollout: object) => {
    const { status, body } = await cluster.ask('POST', path, runtime('wrong', { rollout }));
    assert.equal(status, 422, body);
    return (JSON.parse(body) as { message: string }).message;
  };
  assert.match(
    await refused({ maxSurge: 0, maxUnavailable: '0%' }),
    /maxSurge and maxUnavailable must not both be 0/,
  );
  assert.match(await refused({ maxSurge: 'many' }), /maxSurge.*should match/);
});

test('a node is drained no faster than the budget of its engines allows', async (t) => {
  await startOperator(t);
  await create('budget', { rollout: { maxUnavailable: 1 } });
  await until(async () => (await pods('budget')).filter(isReady).length === 4);
  const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets/budget';
  await until(async () => {
    const { status } = await cluster.expect('GET', budget);
    return (status as { readonly disruptionsAllowed?: number }).disruptionsAllowed === 1;
  });
});

async function startOperator(t: TestContext, identity?: string) {
  const access = await operatorAccess(cluster);
  const lease = identity === undefined ? undefined : { namespace: 'spillway-system', identity };
  return startedOperator(t, { access, lease });
}

function runtime(name: string, deploymentConfig: object): object {
  return {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime', metadata: { name } },
    spec: {
      model: { modelURL: 'Qwen/Qwen3-8B' },
      vllmConfig: {},
      deploymentConfig: {
        ...{ replicas: 4, runtimeClass: '', resources: {} },
        image: { registry: '', name: 'vllm/vllm-openai:v1' },
        ...deploymentConfig,
      },
    },
  };
}

async function create(name: string, deploymentConfig: object): Promise<void> {
  await cluster.expect('POST', path, runtime(name, deploymentConfig));
}

async function change(name: string, deploymentConfig: object): Promise<void> {
  await cluster.expect('PATCH', `${path}/${name}`, { spec: { deploymentConfig } });
}

interface Status {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly rollout?: Readonly<Record<string, string>>;
}

async function statusOf(name: string): Promise<Status> {
  return ((await cluster.expect('GET', `${path}/${name}`))['status'] ?? {}) as Status;
}

async function progressing(name: string) {
  const { conditions = [] } = await statusOf(name);
  return (
    conditions.find(({ type }) => type === 'Progressing') ?? { status: '', reason: '', message: '' }
  );
}

async function rolloutOf(name: string): Promise<Readonly<Record<string, string>>> {
  return (await statusOf(name)).rollout ?? {};
}

/** Pods that are not being deleted. */
async function pods(name: string): Promise<readonly Pod[]> {
  const selector = encodeURIComponent(`app=${name}`);
  const all = await cluster.expect(
    'GET',
    `/api/v1/namespaces/default/pods?labelSelector=${selector}`,
  );
  return (all['items'] as readonly Pod[]).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
}

async function images(name: string): Promise<readonly string[]> {
  return (await pods(name)).map(({ spec }) => spec.containers[0]?.image ?? '');
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

async function eventsOf(name: string): Promise<readonly string[]> {
  const events = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}`;
  const { items } = await cluster.expect('GET', events);
  return (items as readonly { readonly type: string; readonly reason: string }[]).map(
    ({ type, reason }) => `${type} ${reason}`,
  );
}

/** Looks at the pods again and again; the returned function ends it and says what was seen. */
function watchReady(name: string): () => Promise<{ fewestReady: number; mostPods: number }> {
  let [fewestReady, mostPods, isOver] = [Number.POSITIVE_INFINITY, 0, false];
  const looking = (async () => {
    while (!isOver) {
      const all = await pods(name);
      fewestReady = Math.min(fewestReady, all.filter(isReady).length);
      mostPods = Math.max(mostPods, all.length);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    isOver = true;
    await looking;
    return { fewestReady, mostPods };
  };
}
