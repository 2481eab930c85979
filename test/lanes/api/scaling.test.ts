// The built-in scaler against a real API server: from none to several engines and back under streams, none of which fails.
// Engines and the router are real, at addresses of this machine; this test does what a Deployment's controller and kubelets do.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEngineServer } from '../../../src/apps/engine/index.ts';
import { startRouter } from '../../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../../src/core/engine/index.ts';
import { manifests } from '../../../src/core/operator/index.ts';
import { clusterSource } from '../../../src/io/endpoints/cluster-source.ts';
import { createLogger } from '../../../src/io/log/index.ts';
import { loadTokenizer } from '../../../src/io/tokenizers/index.ts';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { operatorAccess, startedOperator } from '../../support/started-operator.ts';
import { StreamLoad } from '../../support/stream-load.ts';
import { until } from '../../support/until.ts';

interface Loaded {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const tools = process.env['TOOLS'] ?? '';
const model = 'm';
/** The same at each engine's address. */
const enginePort = 18_431;
const pods = '/api/v1/namespaces/default/pods';
const ours = '/apis/production-stack.vllm.ai/v1alpha1/namespaces/default';
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
let cluster: ControlPlane;

before(async () => {
  cluster = await ControlPlane.start({ tools });
  for (const object of manifests({ namespace: 'spillway-system', image: 'none', replicas: 1 })) {
    await create(object as Loaded);
  }
  await until(async () => (await cluster.ask('GET', `${ours}/vllmruntimes`)).status === 200);
  await until(async () => (await cluster.ask('GET', `${ours}/vllmrouters`)).status === 200);
});
after(() => cluster?.close());

test('a request that is held starts the first engine, load starts others, and all go when it ends; no stream fails', async (t) => {
  await startedOperator(t, { access: await operatorAccess(cluster) });
  await create(runtime('scaled', { minReplicas: 0, maxReplicas: 4 }));
  await create({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    metadata: { name: 'front' },
    spec: {
      ...{ k8sLabelSelector: 'app=scaled', resources: {} },
      image: { registry: '', name: 'spillway' },
    },
  } as Loaded);
  const router = await startedRouter(t);
  const fleet = await playedDeployment(t, 'scaled');
  await until(async () => (await scalingOf('scaled')).reason === 'AsNeeded');
  assert.equal(fleet.count(), 0);

  const began = performance.now();
  const first = fetch(`${router}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: 'Hi', max_tokens: 2 }),
  });
  await until(() => fleet.count() === 1);
  const response = await first;
  assert.equal(response.status, 200, await response.text());
  t.diagnostic(`from nothing to a response: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  assert.match((await scalingOf('scaled')).message, /0 → 1 engines: requests wait for a first/);

  const load = new StreamLoad({ url: router, model, perSecond: 12, tokens: 16 });
  // Without its end, a test that fails here would never end.
  t.after(() => load.end());
  // How many more depends on how fast this machine is.
  await until(() => fleet.count() >= 2);
  await until(async () => /[1-3] → [2-4] engines: /.test((await scalingOf('scaled')).message));
  t.diagnostic(`${load.seconds.toFixed(1)} s of load: ${(await scalingOf('scaled')).message}`);
  await sleep(3_000);
  const { streams, bad } = await load.end();
  await until(() => fleet.count() === 0);
  // The resource is scaled before its status says so.
  const idle = /→ 0 engines: no request has come for 5 s/;
  await until(async () => idle.test((await scalingOf('scaled')).message));
  t.diagnostic(`${streams} streams, ${bad.length} failed or cut`);
  assert.deepEqual(bad, []);
  const events = await eventsOf('scaled');
  assert.ok(events.some((one) => one.startsWith('ScaledUp 0 → 1')));
  assert.ok(events.some((one) => /^ScaledDown \d → 0/.test(one)));
});

test('while a HorizontalPodAutoscaler has the same target, the built-in scaler does nothing and says so', async (t) => {
  await startedOperator(t, { access: await operatorAccess(cluster) });
  const autoscalers = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';
  await cluster.expect('POST', autoscalers, {
    metadata: { name: 'mine' },
    spec: {
      ...{ minReplicas: 1, maxReplicas: 3 },
      scaleTargetRef: {
        ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime' },
        name: 'contested',
      },
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
        },
      ],
    },
  });
  await create(runtime('contested', { minReplicas: 2, maxReplicas: 4 }));
  await until(async () => (await scalingOf('contested')).reason === 'ConflictingScaler');
  assert.match((await scalingOf('contested')).message, /^HorizontalPodAutoscaler mine scales/);
  assert.equal(await replicasOf('contested'), 0);
  await until(async () =>
    (await eventsOf('contested')).some((one) => one.startsWith('Conflicting')),
  );
  await cluster.expect('DELETE', `${autoscalers}/mine`);
  await until(async () => (await replicasOf('contested')) === 2);
});

test('the definition refuses two scalers in one section, and a built-in scaler without a service level', async () => {
  const refused = async (autoscalingConfig: object) => {
    const object = runtime('wrong', autoscalingConfig);
    const { status, body } = await cluster.ask('POST', `${ours}/vllmruntimes`, object);
    assert.equal(status, 422, body);
    return (JSON.parse(body) as { message: string }).message;
  };
  for (const scaler of ['keda', 'hpa']) {
    assert.match(
      await refused({ scaler, maxReplicas: 2 }),
      /builtIn needs scaler: built-in, since KEDA/,
    );
  }
  assert.match(
    await refused({ maxReplicas: 2, builtIn: null }),
    /scaler: built-in needs builtIn.ttftSeconds/,
  );
  assert.match(
    await refused({ maxReplicas: 2, builtIn: { ttftSeconds: 0 } }),
    /ttftSeconds must be at least 0.001/,
  );
});

function runtime(name: string, autoscalingConfig: object): Loaded & { readonly spec: object } {
  return {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime' },
    metadata: { name },
    spec: {
      ...{ engineKind: 'embedded', model: { modelURL: model }, vllmConfig: { port: enginePort } },
      deploymentConfig: {
        ...{ replicas: 0, runtimeClass: '', resources: {} },
        image: { registry: '', name: 'spillway' },
      },
      autoscalingConfig: {
        ...{ enabled: true, scaler: 'built-in', pollingInterval: 1 },
        builtIn: { ttftSeconds: 1, startupSeconds: 1, downSeconds: 5, idleSeconds: 5 },
        ...autoscalingConfig,
      },
    },
  };
}

/** A router that finds the engines by the API server, in a pod of its own. */
async function startedRouter(t: TestContext): Promise<string> {
  const router = await startRouter({
    ...{ port: 0, host: '127.0.8.1', discovery: 'k8s', kvEvents: false, log },
    admission: { queueTimeout: 0, holdTimeout: 60, saturationWait: 2, maxQueuedRequests: 1_000 },
    engines: clusterSource({
      ...{ kind: 'pod-ip', namespaces: ['default'], port: enginePort, watchSeconds: 0, log },
      ...{ labelSelector: 'app=scaled', access: await operatorAccess(cluster) },
    }),
  });
  t.after(() => router.close(0));
  const port = Number(new URL(router.url).port);
  await addPod('front-1', { app: 'front' }, '127.0.8.1', port);
  return router.url;
}

async function addPod(
  name: string,
  labels: object,
  podIP: string,
  containerPort: number,
): Promise<void> {
  const ports = [{ name: 'http', containerPort }];
  await cluster.expect('POST', pods, {
    metadata: { name, labels },
    spec: { nodeName: 'node', containers: [{ name: 'c', image: 'none', ports }] },
  });
  await cluster.expect('PATCH', `${pods}/${name}/status`, {
    status: {
      ...{ phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
}

/** Makes pods with engines of what a Deployment wants, and lets those that go finish their streams. */
async function playedDeployment(t: TestContext, name: string) {
  const path = `/apis/apps/v1/namespaces/default/deployments/${name}`;
  const tokenizer = await loadTokenizer();
  const stopped = new AbortController();
  interface Running {
    readonly pod: string;
    readonly engine: Awaited<ReturnType<typeof createEngineServer>>;
  }
  let running: Running[] = [];
  let made = 0;
  const start = async (labels: object) => {
    made += 1;
    const host = `127.0.9.${made}`;
    const engine = await createEngineServer({
      ...{ host, port: enginePort, model, tokenizer },
      config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 400, blockSize: 16 }),
      // A prompt takes a tenth of a second, alone.
      cost: { stepSeconds: ({ prefillTokens }) => (prefillTokens > 0 ? 0.1 : 0.01) },
    });
    running.push({ pod: `${name}-${made}`, engine });
    await addPod(`${name}-${made}`, labels, host, enginePort);
  };
  const stop = async ({ pod, engine }: Running) => {
    await cluster.expect('DELETE', `${pods}/${pod}`, { gracePeriodSeconds: 30 });
    await until(async () => {
      const page = await (await fetch(`${engine.url}/metrics`)).text();
      return /^vllm:num_requests_running\S* 0(\.0)?$/m.test(page);
    });
    // Routers hear of it within this time.
    await sleep(1_000);
    await engine.close();
    await cluster.expect('DELETE', `${pods}/${pod}`, { gracePeriodSeconds: 0 });
  };
  const ending: Promise<void>[] = [];
  const following = (async () => {
    while (!stopped.signal.aborted) {
      const { status, body } = await cluster.ask('GET', path);
      if (status === 200) {
        const { spec } = JSON.parse(body) as {
          spec: { replicas: number; template: { metadata: { labels: object } } };
        };
        while (running.length < spec.replicas) await start(spec.template.metadata.labels);
        for (const one of running.slice(spec.replicas)) ending.push(stop(one));
        running = running.slice(0, spec.replicas);
      }
      await sleep(50);
    }
  })();
  t.after(async () => {
    stopped.abort();
    await following;
    await Promise.allSettled(ending);
    for (const { engine } of running) await engine.close();
  });
  return { count: () => running.length };
}

async function scalingOf(name: string): Promise<{ reason: string; message: string }> {
  const { status } = await cluster.expect('GET', `${ours}/vllmruntimes/${name}`);
  const { conditions = [] } = (status ?? {}) as {
    conditions?: readonly { type: string; reason: string; message: string }[];
  };
  return conditions.find(({ type }) => type === 'Scaling') ?? { reason: '', message: '' };
}

async function replicasOf(name: string): Promise<number> {
  const { spec } = await cluster.expect('GET', `${ours}/vllmruntimes/${name}`);
  return (spec as { deploymentConfig: { replicas: number } }).deploymentConfig.replicas;
}

async function eventsOf(name: string): Promise<readonly string[]> {
  const events = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}`;
  const { items } = await cluster.expect('GET', events);
  return (items as readonly { readonly reason: string; readonly message: string }[]).map(
    ({ reason, message }) => `${reason} ${message}`,
  );
}

/** Creates an object, in the namespace `default` unless it names one. */
async function create(object: Loaded): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const isWide = /^(CustomResourceDefinition|Namespace|ClusterRole|ClusterRoleBinding)$/.test(kind);
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = isWide ? '' : `/namespaces/${metadata.namespace ?? 'default'}`;
  await cluster.expect('POST', `${root}${within}/${kind.toLowerCase()}s`, object);
}
