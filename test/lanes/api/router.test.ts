// A router in a cluster: the API server is real, pods are objects whose status this test writes, and each has a real
// embedded engine at its address. The router uses the token of a service account with the rights of the guide.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { createEngineServer } from '../../../src/apps/engine/index.ts';
import { startRouter } from '../../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../../src/core/engine/index.ts';
import type { ClusterKind } from '../../../src/io/endpoints/cluster-settings.ts';
import { clusterSource } from '../../../src/io/endpoints/cluster-source.ts';
import { type ClusterAccess, openCluster } from '../../../src/io/kubernetes/index.ts';
import { createLogger } from '../../../src/io/log/index.ts';
import { freePorts } from '../../../src/io/processes/index.ts';
import { loadTokenizer } from '../../../src/io/tokenizers/index.ts';
import { cuttableLine } from '../../support/cuttable-line.ts';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { until } from '../../support/until.ts';

const tools = process.env['TOOLS'] ?? '';
const guide = join(import.meta.dirname, '../../../docs/guide/kubernetes-router.md');
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
let cluster: ControlPlane;
let tokenizer: Awaited<ReturnType<typeof loadTokenizer>>;
let namespaces = 0;

before(async () => {
  [cluster, tokenizer] = await Promise.all([ControlPlane.start({ tools }), loadTokenizer()]);
});
after(() => cluster?.close());

test('a pod gets requests within a second of becoming ready, and none after it is deleted, while its stream ends', async (t) => {
  const { pod, ask, router, isListed } = await begin(t);
  const a = await pod('engine-a', '127.0.1.1');
  assert.equal((await ask()).status, 404);
  const readyAt = performance.now();
  await a.setReady(true);
  await until(async () => (await ask()).status === 200);
  const pickedMs = performance.now() - readyAt;
  t.diagnostic(`from the status of the pod to a response of its engine: ${pickedMs.toFixed(0)} ms`);
  // The load of a shared machine is not the router's.
  assert.ok(pickedMs < 5_000, `${pickedMs} ms`);
  const b = await pod('engine-b', '127.0.1.2');
  await b.setReady(true);
  await until(() => isListed('engine-b'));
  const streams = await Promise.all([ask(400), ask(400), ask(400), ask(400)]);
  assert.deepEqual(
    new Set(streams.map(({ headers }) => headers.get('x-spillway-engine-name'))),
    new Set(['engine-a', 'engine-b']),
  );
  await a.remove(30);
  await until(async () => (await stateOf(router.url, 'engine-a')) !== 'live');
  for (let i = 0; i < 10; i++) {
    assert.equal((await ask()).headers.get('x-spillway-engine-name'), 'engine-b');
  }
  for (const stream of streams) assert.match(await stream.text(), /data: \[DONE\]\n\n$/);
  await until(async () => (await stateOf(router.url, 'engine-a')) === undefined);
});

test('a pod that is gone without an event gets no requests within seconds, and none fails meanwhile', async (t) => {
  const { pod, isListed, ask, router } = await begin(t);
  const a = await pod('engine-a', '127.0.6.1');
  const b = await pod('engine-b', '127.0.6.2');
  await a.setReady(true);
  await b.setReady(true);
  await until(async () => (await isListed('engine-a')) && (await isListed('engine-b')));
  // The API server still says that it is ready.
  await a.vanish();
  const since = performance.now();
  await until(async () => {
    assert.equal((await ask()).status, 200);
    return (await stateOf(router.url, 'engine-a')) !== 'live';
  });
  t.diagnostic(`no longer live after ${(performance.now() - since).toFixed(0)} ms`);
  for (let i = 0; i < 10; i++) {
    assert.equal((await ask()).headers.get('x-spillway-engine-name'), 'engine-b');
  }
});

test('what happens while the watch is cut is known when it goes on', async (t) => {
  const { pod, isListed, line } = await begin(t);
  const a = await pod('engine-a', '127.0.2.1');
  const b = await pod('engine-b', '127.0.2.2');
  await a.setReady(true);
  await until(() => isListed('engine-a'));
  line.cut();
  await b.setReady(true);
  await a.remove(0);
  line.mend();
  await until(async () => (await isListed('engine-b')) && !(await isListed('engine-a')));
});

test('requests are served while the API server is away, and changes follow when it is back', async (t) => {
  const { pod, isListed, ask } = await begin(t);
  const a = await pod('engine-a', '127.0.3.1');
  await a.setReady(true);
  await until(() => isListed('engine-a'));
  await cluster.stopApiServer();
  for (let i = 0; i < 20; i++) assert.equal((await ask()).status, 200);
  await cluster.startApiServer();
  const b = await pod('engine-b', '127.0.3.2');
  await b.setReady(true);
  await until(() => isListed('engine-b'));
  assert.equal((await ask()).status, 200);
});

test('a version that was compacted leads to a new list, and engines in both lists keep their streams', async (t) => {
  const { namespace, pod, isListed, ask, line } = await begin(t);
  const [a, b] = [await pod('engine-a', '127.0.4.1'), await pod('engine-b', '127.0.4.2')];
  await a.setReady(true);
  await until(() => isListed('engine-a'));
  const stream = await ask(600);
  line.cut();
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const { metadata } = await cluster.expect('GET', pods);
  const { resourceVersion } = metadata as { readonly resourceVersion: string };
  await b.setReady(true);
  for (let i = 0; i < 5; i++) await b.label(`try-${i}`);
  await cluster.compact();
  // A new API server has no memory of the past, so that only etcd could tell it.
  await cluster.stopApiServer();
  await cluster.startApiServer();
  const watch = `${pods}?watch=1&resourceVersion=${resourceVersion}&timeoutSeconds=1`;
  assert.match((await cluster.ask('GET', watch)).body, /"code":410/);
  line.mend();
  await until(() => isListed('engine-b'));
  assert.match(await stream.text(), /data: \[DONE\]\n\n$/);
});

test('pods of other labels and other namespaces are no engines', async (t) => {
  const { pod, isListed } = await begin(t, { labelSelector: 'app=vllm,tier!=test' });
  const one = await pod('one', '127.0.5.1', { app: 'vllm', tier: 'test' });
  const two = await pod('two', '127.0.5.2', { app: 'router' });
  const three = await pod('three', '127.0.5.3', { app: 'vllm' });
  for (const each of [one, two, three]) await each.setReady(true);
  await until(() => isListed('three'));
  assert.deepEqual([await isListed('one'), await isListed('two')], [false, false]);
  await three.label('other', 'app');
  await until(async () => !(await isListed('three')));
});

test('a selector that cannot be parsed ends the start with the API server’s words', async (t) => {
  await assert.rejects(begin(t, { labelSelector: 'a in (' }), {
    code: 'ERR_INPUT',
    message:
      /^The API server refuses to list the engines: status 400: unable to parse requirement: /,
  });
});

test('a Service is an engine while an EndpointSlice has a ready endpoint', async (t) => {
  const { namespace, isListed } = await begin(t, { kind: 'service-name' });
  await cluster.expect('POST', `/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: 'vllm' },
    spec: { clusterIP: 'None', ports: [{ port: 80, targetPort: 8000 }] },
  });
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  await cluster.expect('POST', slices, {
    metadata: { name: 'vllm-1', labels: { 'kubernetes.io/service-name': 'vllm' } },
    addressType: 'IPv4',
    ports: [{ port: 8000 }],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }],
  });
  assert.equal(await isListed('vllm'), false);
  const ready = [{ addresses: ['10.0.0.1'], conditions: { ready: true } }];
  await cluster.expect('PATCH', `${slices}/vllm-1`, { endpoints: ready });
  await until(() => isListed('vllm', `http://vllm.${namespace}:80`));
});

test('without the rights of the guide, the log says which one is missing', async (t) => {
  const lines: string[] = [];
  const { namespace } = await begin(t, { rights: false, lines });
  await until(() => lines.length > 0);
  assert.match(
    lines[0] ?? '',
    new RegExp(
      `status 403: pods is forbidden: User "system:serviceaccount:${namespace}:router" cannot list`,
    ),
  );
});

interface Options {
  readonly kind?: ClusterKind;
  readonly labelSelector?: string;
  readonly rights?: boolean;
  readonly lines?: string[];
}

/** A namespace with a service account, and a router that uses it through a connection that can be cut. */
async function begin(t: TestContext, options: Options = {}) {
  const { kind = 'pod-ip', labelSelector = '', rights = true, lines = [] } = options;
  const namespace = `test-${++namespaces}`;
  const [port = 0] = await freePorts(1);
  await cluster.expect('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await cluster.expect('POST', accounts, { metadata: { name: 'router' } });
  if (rights) await grant(namespace, kind);
  const line = await cuttableLine(cluster.url);
  t.after(() => line.close());
  const access = await mounted(t, namespace, line.endpoint);
  const keep = (text: string) => {
    lines.push(text);
  };
  const source = clusterSource({
    ...{ kind, namespaces: [namespace], port, labelSelector, watchSeconds: 0, access },
    log: { info: keep, warning: keep },
  });
  const router = await startRouter({
    ...{ port: 0, engines: source, discovery: 'k8s', policy: 'roundrobin', log, tickMs: 50 },
  });
  t.after(() => router.close(0));
  const ask = (tokens = 4) =>
    fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ model: 'm', prompt: 'Hi', stream: tokens > 4, max_tokens: tokens, ignore_eos: true },
      }),
    });
  const pod = (name: string, ip: string, labels = {}) =>
    startPod(t, { namespace, name, ip, port, labels });
  const isListed = async (name: string, url?: string) => {
    const engine = (await enginesOf(router.url)).find((one) => one.name === name);
    return (
      engine !== undefined && (url === undefined ? engine.state === 'live' : engine.url === url)
    );
  };
  return { namespace, router, line, ask, pod, isListed };
}

/** Applies the Role of the guide, so that the guide cannot be wrong. */
async function grant(namespace: string, kind: ClusterKind): Promise<void> {
  const blocks = [...(await readFile(guide, 'utf8')).matchAll(/```yaml\n(.*?)```/gs)].map(
    ([, text = '']) => parseAllDocuments(text)[0]?.toJS() as { readonly rules: readonly object[] },
  );
  const { rules } = blocks[kind === 'pod-ip' ? 0 : 1] ?? { rules: [] };
  const group = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'router' };
  await cluster.expect('POST', `${group}/roles`, { metadata, rules });
  await cluster.expect('POST', `${group}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'router' },
    subjects: [{ kind: 'ServiceAccount', namespace, name: 'router' }],
  });
}

/** Access by the files that a kubelet mounts. */
async function mounted(
  t: TestContext,
  namespace: string,
  endpoint: string,
): Promise<ClusterAccess> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-account-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'token'), await cluster.tokenOf(namespace, 'router'));
  await writeFile(join(folder, 'ca.crt'), cluster.authority);
  const port = endpoint.split(':').at(-1);
  return openCluster({
    folder,
    environment: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port },
  });
}

interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** A pod on a node that is not there, and an embedded engine at its address. */
async function startPod(t: TestContext, { namespace, name, ip, port, labels }: PodOptions) {
  const engine = await createEngineServer({
    ...{ host: ip, port, model: 'm', tokenizer },
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 2000, blockSize: 16 }),
    cost: { stepSeconds: () => 0.005 },
  });
  t.after(() => engine.close());
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await cluster.expect('POST', pods, {
    metadata: { name, labels },
    spec: { nodeName: 'node', containers: [{ name: 'vllm', image: 'none' }] },
  });
  return {
    setReady: (isReady: boolean) =>
      cluster.expect('PATCH', `${pods}/${name}/status`, {
        status: {
          ...{ phase: 'Running', podIP: ip, podIPs: [{ ip }] },
          conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
        },
      }),
    label: (value: string, key = 'note') =>
      cluster.expect('PATCH', `${pods}/${name}`, { metadata: { labels: { [key]: value } } }),
    remove: (gracePeriodSeconds: number) =>
      cluster.expect('DELETE', `${pods}/${name}`, { gracePeriodSeconds }),
    vanish: () => engine.close(),
  };
}

interface EngineView {
  readonly url: string;
  readonly name: string;
  readonly state: string;
}

async function enginesOf(url: string): Promise<readonly EngineView[]> {
  const view = (await (await fetch(`${url}/debug/router`)).json()) as {
    readonly engines: readonly EngineView[];
  };
  return view.engines;
}

async function stateOf(url: string, name: string): Promise<string | undefined> {
  return (await enginesOf(url)).find((engine) => engine.name === name)?.state;
}
