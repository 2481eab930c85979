// An open load of streams through a Service, while its engines are scaled, replaced, killed and moved by the operator and by
// Kubernetes: not one stream fails or is cut. Engines, routers and operator are pods of the image of the Dockerfile.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { manifests } from '../../../src/core/operator/index.ts';
import { PodCluster } from '../../support/kubernetes/pod-cluster.ts';
import { areConnected, metricOfRouters } from '../../support/kubernetes/router-pods.ts';
import { StreamLoad } from '../../support/stream-load.ts';

const { TOOLS: tools = '', ARCHIVES = '', CGROUP: cgroup = '', LOAD_LOG = '' } = process.env;
const image = 'localhost/spillway:test';
const nextImage = 'localhost/spillway:next';
const model = 'Qwen/Qwen3-8B';
const namespace = 'default';
const runtimes = `/apis/production-stack.vllm.ai/v1alpha1/namespaces/${namespace}/vllmruntimes`;
const podsPath = `/api/v1/namespaces/${namespace}/pods`;
const stepSecondsMax = 240;

interface Loaded {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly image: string }[];
  };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

let cluster: PodCluster;

before(async () => {
  cluster = await PodCluster.start({ tools, nodes: 2, archives: ARCHIVES.split(':'), cgroup });
  for (const node of cluster.nodes) await node.tag(image, nextImage);
});
after(() => cluster?.close());

test('20 streams per second go on while engines are scaled, rolled, killed and drained', async (t) => {
  const say = reporter(t);
  for (const object of manifests({ namespace: 'spillway-system', image, replicas: 2 })) {
    await create(object as Loaded);
  }
  await within('the definitions are served', async () => (await ask(runtimes)).status === 200);
  await create(runtime());
  await create(router());
  const url = await serviceUrl();
  await within('the Service answers', async () => {
    const response = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(2_000) });
    return (await response.text()).includes(model);
  });
  await engines(4);
  await within('both routers are ready', async () => (await ready('front')).length === 2);
  await routersConnected();

  const load = new StreamLoad({ url, model, perSecond: 20, tokens: 64 });
  const step = async (what: string, work: () => Promise<void>): Promise<void> => {
    const [from, bad] = [load.seconds, load.bad.length];
    await work();
    // Streams that began in this step show its faults.
    await sleep(3_000);
    const failed = load.bad.length - bad;
    say(
      `${time(from)} – ${time(load.seconds)}  ${what}: ${load.streams} streams, ${failed} failed`,
    );
  };
  await step('4 engines', async () => {
    await sleep(5_000);
    await within('each router counts what the other sends', async () => {
      const metric = 'spillway_router_peer_attempts_total';
      const counts = await metricOfRouters(await ready('front'), 80, metric);
      say(`attempts that each router heard of from the other: ${counts.join(' and ')}`);
      return counts.length === 2 && counts.every((count) => count > 0);
    });
  });
  await step('scaled to 6', async () => {
    await scale(6);
    await engines(6);
  });
  await step('scaled to 3', async () => {
    await scale(3);
    await engines(3);
  });
  await step('rolled to a new version', async () => {
    await expectChange({ image: { registry: '', name: nextImage, pullPolicy: 'Never' } });
    await within('all engines are of the new version', async () => {
      const all = await podsOf('qwen');
      return (
        all.length === 3 &&
        all.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === nextImage)
      );
    });
  });
  await step('an engine killed', async () => {
    const [victim] = await ready('qwen');
    const path = `${podsPath}/${victim?.metadata.name}?gracePeriodSeconds=0`;
    await cluster.controlPlane.expect('DELETE', path);
    await within('another engine has its place', async () => {
      const all = await ready('qwen');
      return (
        all.length === 3 && all.every(({ metadata }) => metadata.name !== victim?.metadata.name)
      );
    });
  });
  await step('a router deleted', async () => {
    const [victim] = await ready('front');
    await cluster.controlPlane.expect('DELETE', `${podsPath}/${victim?.metadata.name}`);
    await within('another router has its place', async () => {
      const all = await podsOf('front');
      return all.length === 2 && all.every(isReady);
    });
    await routersConnected();
  });
  await step('a node drained', () => drain('node-2'));
  const { streams, bad, ttft } = await load.end();
  const at = (share: number) =>
    `${(1000 * (ttft[Math.floor(share * ttft.length)] ?? 0)).toFixed(0)} ms`;
  say(`${streams} streams, ${bad.length} failed or cut; TTFT p50 ${at(0.5)}, p99 ${at(0.99)}`);
  for (const { atSeconds, why } of bad.slice(0, 20)) say(`${time(atSeconds)} ${why}`);
  assert.deepEqual(bad, []);
});

test('the built-in scaler follows the load from one engine to several and back; no stream fails', async (t) => {
  const say = reporter(t);
  const settings = (spec: object) =>
    cluster.controlPlane.expect('PATCH', `${runtimes}/qwen`, { spec });
  // Two streams at a time per engine: the others wait, and their first token is late.
  await settings({
    model: { maxNumSeqs: 2 },
    deploymentConfig: { replicas: 1 },
    autoscalingConfig: {
      ...{ enabled: true, scaler: 'built-in', minReplicas: 1, maxReplicas: 4, pollingInterval: 1 },
      builtIn: { ttftSeconds: 0.3, startupSeconds: 5, downSeconds: 15 },
    },
  });
  await engines(1);
  const load = new StreamLoad({ url: await serviceUrl(), model, perSecond: 8, tokens: 64 });
  let most = 1;
  const seen = async (count: number) => {
    const now = (await ready('qwen')).length;
    most = Math.max(most, now);
    return now === count;
  };
  await within('there are more engines', async () => (await seen(2)) || most > 1);
  say(`${time(load.seconds)}  more than one engine; ${await scaling()}`);
  for (let i = 0; i < 20; i++) {
    await seen(0);
    await sleep(500);
  }
  const { streams, bad } = await load.end();
  await within('one engine is left', async () => seen(1));
  await engines(1);
  say(
    `1 → ${most} → 1 engines by the built-in scaler: ${streams} streams, ${bad.length} failed or cut; ${await scaling()}`,
  );
  for (const { atSeconds, why } of bad.slice(0, 20)) say(`${time(atSeconds)} ${why}`);
  assert.deepEqual(bad, []);
});

async function scaling(): Promise<string> {
  const { status } = await cluster.controlPlane.expect('GET', `${runtimes}/qwen`);
  const { conditions = [] } = status as {
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
  };
  return conditions.find(({ type }) => type === 'Scaling')?.message ?? '';
}

function runtime(): Loaded & { readonly spec: object } {
  return {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime' },
    metadata: { name: 'qwen' },
    spec: {
      engineKind: 'embedded',
      model: { modelURL: model },
      vllmConfig: {},
      deploymentConfig: {
        ...{ replicas: 4, runtimeClass: '', resources: { memory: '512Mi' } },
        image: { registry: '', name: image, pullPolicy: 'Never' },
        rollout: { startupSeconds: 120, maxSurge: 1, maxUnavailable: 0, drainSeconds: 60 },
      },
    },
  };
}

function router(): Loaded & { readonly spec: object } {
  return {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    metadata: { name: 'front' },
    spec: {
      ...{ replicas: 2, k8sLabelSelector: 'app=qwen', resources: { memory: '512Mi' } },
      image: { registry: '', name: image, pullPolicy: 'Never' },
    },
  };
}

async function routersConnected(): Promise<void> {
  await within('the routers are connected', async () => areConnected(await ready('front'), 80));
}

/** Evicts what runs on a node as `kubectl drain` does: with patience for budgets. */
async function drain(node: string): Promise<void> {
  const patch = { spec: { unschedulable: true } };
  await cluster.controlPlane.expect('PATCH', `/api/v1/nodes/${node}`, patch);
  await within(`${node} is empty`, async () => {
    const there = (await podsOf('qwen', 'front')).filter(({ spec }) => spec.nodeName === node);
    for (const { metadata } of there) {
      if (metadata.deletionTimestamp !== undefined) continue;
      const { name } = metadata;
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
      const path = `${podsPath}/${name}/eviction`;
      const { status, body } = await cluster.controlPlane.ask('POST', path, eviction);
      assert.ok([201, 404, 429].includes(status), body);
    }
    return there.length === 0;
  });
  await engines(3);
  await within('both routers are ready', async () => (await ready('front')).length === 2);
}

async function scale(replicas: number): Promise<void> {
  await cluster.controlPlane.expect('PATCH', `${runtimes}/qwen/scale`, { spec: { replicas } });
}

async function expectChange(deploymentConfig: object): Promise<void> {
  await cluster.controlPlane.expect('PATCH', `${runtimes}/qwen`, { spec: { deploymentConfig } });
}

/** Waits until there are so many engines, all ready, and none that stops. */
async function engines(count: number): Promise<void> {
  await within(`${count} engines are ready`, async () => {
    const all = await podsOf('qwen');
    return all.length === count && all.every(isReady);
  });
}

async function ready(app: string): Promise<readonly Pod[]> {
  return (await podsOf(app)).filter(
    (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined,
  );
}

/** Also those that stop. */
async function podsOf(...apps: readonly string[]): Promise<readonly Pod[]> {
  const selector = encodeURIComponent(`app in (${apps.join(',')})`);
  const list = await cluster.controlPlane.expect('GET', `${podsPath}?labelSelector=${selector}`);
  return list['items'] as readonly Pod[];
}

function isReady({ status }: Pod): boolean {
  return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

async function serviceUrl(): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/services/front`;
  await within('the Service exists', async () => (await ask(path)).status === 200);
  const { spec } = await cluster.controlPlane.expect('GET', path);
  return `http://${(spec as { readonly clusterIP: string }).clusterIP}`;
}

function ask(path: string) {
  return cluster.controlPlane.ask('GET', path);
}

async function create(
  object: Loaded & { metadata: { readonly namespace?: string } },
): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const isWide = /^(CustomResourceDefinition|Namespace|ClusterRole|ClusterRoleBinding)$/.test(kind);
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const space = isWide ? '' : `/namespaces/${metadata.namespace ?? namespace}`;
  await cluster.controlPlane.expect('POST', `${root}${space}/${kind.toLowerCase()}s`, object);
}

/** Waits for what pods do, which takes longer than what processes do. */
async function within(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 1000 * stepSecondsMax;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) {
      const pods = await podsOf('qwen', 'front').catch(() => []);
      const states = pods.map(
        ({ metadata, status }) => `${metadata.name} ${JSON.stringify(status)}`,
      );
      throw new Error(
        `not within ${stepSecondsMax} s: ${what}\n${states.join('\n')}\n${cluster.log()}`,
      );
    }
    await sleep(250);
  }
}

function time(seconds: number): string {
  return `${seconds.toFixed(0).padStart(4)} s`;
}

/** Lines for the test's report, and for a file if LOAD_LOG names one. */
function reporter(t: TestContext): (line: string) => void {
  return (line) => {
    t.diagnostic(line);
    if (LOAD_LOG !== '') appendFileSync(LOAD_LOG, `${line}\n`);
  };
}
