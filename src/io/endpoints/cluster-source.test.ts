// Behaviour particular to a cluster: changes with the event that brings them, what happens when watches end in each way,
// several namespaces, Services, and API servers that are slow, broken or too large.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManualWait } from '../../../test/support/manual-wait.ts';
import {
  type ScriptedApiServer,
  scriptedApiServer,
} from '../../../test/support/scripted-api-server.ts';
import { until } from '../../../test/support/until.ts';
import { clusterDiscovery } from './cluster-discovery.ts';
import { type ClusterSourceOptions, clusterSource } from './cluster-source.ts';
import type { EndpointChange } from './endpoint-source.ts';

test('pods are listed in pages, and each change is reported with its event', async (t) => {
  const { api, next } = await begin(t, {}, (api) => {
    for (let i = 0; i < 250; i++) api.putPod(`engine-${i}`, { ip: `10.0.${i >> 7}.${i & 127}` });
  });
  assert.equal((await next())?.length, 250);
  assert.deepEqual(
    api.requests.map((path) => new URL(path, 'http://x').searchParams.get('continue')),
    [null, '100', '200'],
  );
  await until(() => api.watching === 1);
  api.putPod('engine-7', { ip: '10.0.0.7', isReady: false });
  assert.deepEqual(kinds(await next()), ['removed http://10.0.0.7:8000']);
  api.putPod('engine-7', { ip: '10.0.9.9' });
  assert.deepEqual(kinds(await next()), ['added http://10.0.9.9:8000 engine-7']);
  api.putPod('engine-8', { ip: '10.0.0.8', isTerminating: true });
  assert.deepEqual(kinds(await next()), ['removed http://10.0.0.8:8000']);
  api.removePod('engine-9');
  assert.deepEqual(kinds(await next()), ['removed http://10.0.0.9:8000']);
});

test('an event that changes no engine reports nothing', async (t) => {
  const { api, next } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  await until(() => api.watching === 1);
  api.putPod('a', { ip: '10.0.0.1', labels: { restarted: 'no' } });
  api.putPod('b', { ip: '', isReady: false });
  api.bookmark();
  api.putPod('c', { ip: '10.0.0.3' });
  assert.deepEqual(kinds(await next()), ['added http://10.0.0.3:8000 c']);
});

test('a watch that was cut or has ended goes on where it was, without a list and without a word', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  for (const end of [() => api.cut(), () => api.endWatches()]) {
    await until(() => api.watching === 1);
    const watchesBefore = watches(api).length;
    end();
    await until(() => watches(api).length > watchesBefore && api.watching === 1);
    api.removePod('a');
    assert.deepEqual(kinds(await next()), ['removed http://10.0.0.1:8000']);
    api.putPod('a', { ip: '10.0.0.1' });
    assert.deepEqual(kinds(await next()), ['added http://10.0.0.1:8000 a']);
  }
  assert.equal(lists(api).length, 1);
  assert.deepEqual(log, []);
});

test('what happens while no watch is open is reported when it goes on', async (t) => {
  const { api, next } = await begin(t, {}, (api) => {
    api.putPod('a', { ip: '10.0.0.1' });
    api.putPod('b', { ip: '10.0.0.2' });
  });
  await next();
  await until(() => api.watching === 1);
  api.cut();
  api.removePod('a');
  api.putPod('c', { ip: '10.0.0.3' });
  const reported = [...kinds(await next())];
  while (reported.length < 2) reported.push(...kinds(await next()));
  assert.deepEqual(reported, ['removed http://10.0.0.1:8000', 'added http://10.0.0.3:8000 c']);
  assert.equal(lists(api).length, 1);
});

test('a version that is too old leads to a list, and the difference is reported in one batch', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => {
    api.putPod('a', { ip: '10.0.0.1' });
    api.putPod('b', { ip: '10.0.0.2' });
  });
  await next();
  await until(() => api.watching === 1);
  api.isTelling = false;
  api.removePod('a');
  api.putPod('c', { ip: '10.0.0.3' });
  api.compact();
  api.isTelling = true;
  api.cut();
  assert.deepEqual(kinds(await next()), [
    'removed http://10.0.0.1:8000',
    'added http://10.0.0.3:8000 c',
  ]);
  assert.equal(lists(api).length, 2);
  assert.deepEqual(log, []);
});

test('a bookmark moves the version from which a watch goes on', async (t) => {
  const { api, next } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  await until(() => api.watching === 1);
  for (let i = 0; i < 5; i++) api.put('/api/v1/namespaces/other/pods', { metadata: { name: 'x' } });
  api.bookmark();
  api.compact();
  api.endWatches();
  await until(() => watches(api).length === 2);
  assert.match(watches(api)[1] ?? '', /resourceVersion=106&/);
  assert.equal(lists(api).length, 1);
});

test('a status 410 instead of a watch leads to a list', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  await until(() => api.watching === 1);
  api.mode = { status: 410, body: '{"message":"too old"}' };
  api.cut();
  await until(() => api.requests.length >= 3);
  api.mode = 'serve';
  api.putPod('b', { ip: '10.0.0.2' });
  assert.deepEqual(kinds(await next()), ['added http://10.0.0.2:8000 b']);
  assert.match(log[0] ?? 'nothing', /status 410: too old|nothing/);
});

test('garbage in a watch is reported, and a list follows', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  for (const garbage of ['<html>oops</html>\n', '{"type":"ADDED","object":{}}\n']) {
    await until(() => api.watching === 1);
    const listsBefore = lists(api).length;
    api.send(garbage);
    await until(() => lists(api).length > listsBefore);
  }
  await until(() => log.length === 4);
  assert.match(log[0] ?? '', /: the API server sent a watch that is not JSON; the engine that it/);
  assert.match(log[1] ?? '', /can be read again$/);
  assert.match(log[2] ?? '', /: the API server sent an event without a version; the engine/);
});

test('a line without an end is refused at 4 MiB', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  await until(() => api.watching === 1);
  const mebibyte = ' '.repeat(1_048_576);
  for (let i = 0; i < 5; i++) api.send(mebibyte);
  await until(() => log.length > 0);
  assert.match(log[0] ?? '', /the API server sent an event of more than 4194304 bytes/);
});

test('an API server that does not answer, or not to the end, keeps nobody waiting for ever', async (t) => {
  const { api, next, log } = await begin(t, { headTimeoutMs: 100 }, (api) => {
    api.putPod('a', { ip: '10.0.0.1' });
    api.mode = 'hang';
  });
  const first = next();
  await until(() => log.length === 1);
  assert.match(log[0] ?? '', /: no response in time; it has listed no engines yet$/);
  api.mode = 'serve';
  assert.deepEqual(kinds(await first), ['added http://10.0.0.1:8000 a']);
});

test('a router starts after 10 s without an API server, with no engines', async (t) => {
  const wait = new ManualWait();
  const { next } = await begin(t, { wait: wait.wait }, (api) => {
    api.mode = { status: 503 };
  });
  const first = next();
  await wait.asked();
  assert.equal(wait.pausesMs[0], 10_000);
  await wait.pass();
  assert.deepEqual(await first, []);
});

test('missing rights are reported in the API server’s words, and the pause that it asks for is made', async (t) => {
  const body = JSON.stringify({
    kind: 'Status',
    message: 'pods is forbidden: User "x" cannot list',
  });
  const wait = new ManualWait();
  const { next, log } = await begin(t, { wait: wait.wait }, (api) => {
    api.mode = { status: 403, body, retryAfter: '7' };
  });
  void next();
  await until(() => log.length === 1);
  assert.match(
    log[0] ?? '',
    /: status 403: pods is forbidden: User "x" cannot list; it has listed/,
  );
  await until(() => wait.pausesMs.includes(7_000));
});

test('a label selector that the API server calls invalid is an error at the start', async (t) => {
  const { next } = await begin(t, {}, (api) => {
    api.mode = { status: 400, body: '{"message":"unable to parse requirement"}' };
  });
  await assert.rejects(next(), {
    code: 'ERR_INPUT',
    message: 'The API server refuses to list the engines: status 400: unable to parse requirement.',
  });
});

test('only pods with the labels are asked for', async (t) => {
  const { api, next } = await begin(t, { labelSelector: 'app=vllm,tier=a' }, (api) => {
    api.putPod('a', { ip: '10.0.0.1', labels: { app: 'vllm', tier: 'a' } });
    api.putPod('b', { ip: '10.0.0.2', labels: { app: 'router' } });
  });
  assert.deepEqual(kinds(await next()), ['added http://10.0.0.1:8000 a']);
  await until(() => api.watching === 1);
  for (const path of api.requests) assert.match(path, /labelSelector=app%3Dvllm%2Ctier%3Da/);
});

test('several namespaces are one set, and names begin with the namespace', async (t) => {
  const { api, next } = await begin(t, { namespaces: ['one', 'two'] }, (api) => {
    api.putPod('a', { ip: '10.0.0.1', namespace: 'one' });
    api.putPod('a', { ip: '10.0.0.2', namespace: 'two' });
  });
  assert.deepEqual(kinds(await next()), [
    'added http://10.0.0.1:8000 one/a',
    'added http://10.0.0.2:8000 two/a',
  ]);
  await until(() => api.watching === 2);
  api.removePod('a', 'two');
  assert.deepEqual(kinds(await next()), ['removed http://10.0.0.2:8000']);
});

test('more engines than a fleet may have are refused, and the last set stays', async (t) => {
  const { api, next, log } = await begin(t, {}, (api) => api.putPod('a', { ip: '10.0.0.1' }));
  await next();
  await until(() => api.watching === 1);
  api.isTelling = false;
  for (let i = 0; i < 4_100; i++) api.putPod(`e${i}`, { ip: `10.1.${i >> 8}.${i & 255}` });
  api.compact();
  api.isTelling = true;
  api.cut();
  void next();
  await until(() => log.length > 0);
  assert.match(
    log[0] ?? '',
    /: 4101 engines are more than the 4096 allowed; the engine that it listed/,
  );
});

test('a Service is an engine while one of its pods is ready', async (t) => {
  const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
  const metadata = { namespace: 'default', name: 'vllm' };
  const slice = (ready: boolean) => ({
    metadata: { ...metadata, name: 'vllm-1', labels: { 'kubernetes.io/service-name': 'vllm' } },
    endpoints: [{ conditions: { ready } }],
  });
  const { api, next } = await begin(t, { kind: 'service-name' }, (api) => {
    api.put('/api/v1/namespaces/default/services', { metadata, spec: { ports: [{ port: 80 }] } });
    api.put(slices, slice(false));
  });
  assert.deepEqual(await next(), []);
  await until(() => api.watching === 2);
  api.put(slices, slice(true));
  assert.deepEqual(kinds(await next()), ['added http://vllm.default:80 vllm']);
  api.put(slices, slice(false));
  assert.deepEqual(kinds(await next()), ['removed http://vllm.default:80']);
});

test('flags are refused with what they may be', () => {
  const open = (...given: string[]) => clusterDiscovery.open(given, { info() {}, warning() {} });
  const standards = clusterDiscovery.flags.map(({ standard = '' }) => standard);
  open(...standards);
  const refused = (at: number, text: string, message: RegExp) =>
    assert.throws(() => open(...standards.with(at, text)), { code: 'ERR_INPUT', message });
  refused(0, 'pods', /^--k8s-service-discovery-type must be pod-ip or service-name, not "pods"\.$/);
  refused(1, '0', /^--k8s-port must be a whole number from 1 to 65535, not "0"\.$/);
  refused(2, 'a,../b', /^--k8s-namespace: "\.\.\/b" is not the name of a namespace\.$/);
  refused(2, ',', /^--k8s-namespace takes 1 to 16 namespaces\.$/);
  refused(4, '-1', /^--k8s-watcher-timeout-seconds must be a whole number from 0 to 3600/);
});

async function begin(
  t: TestContext,
  options: Partial<ClusterSourceOptions>,
  prepare: (api: ScriptedApiServer) => void,
) {
  const api = await scriptedApiServer(t);
  const log: string[] = [];
  const keep = (line: string) => {
    log.push(line);
  };
  prepare(api);
  const source = clusterSource({
    ...{ kind: 'pod-ip', namespaces: ['default'], port: 8000, labelSelector: '', watchSeconds: 0 },
    ...{ access: api.access, wait: withoutPauses, log: { info: keep, warning: keep } },
    ...options,
  });
  const stop = new AbortController();
  t.after(() => stop.abort());
  const iterator = source.changes(stop.signal)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await iterator.next();
    return done ? undefined : value;
  };
  return { api, log, next };
}

/** Makes no pauses between attempts; the deadlines of a watch and of the first lists never come. */
async function withoutPauses(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds < 10_000) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

function lists(api: ScriptedApiServer): readonly string[] {
  return api.requests.filter((path) => !path.includes('watch=1'));
}

function watches(api: ScriptedApiServer): readonly string[] {
  return api.requests.filter((path) => path.includes('watch=1'));
}

function kinds(changes: readonly EndpointChange[] | undefined): readonly string[] {
  return (changes ?? ['no batch' as never]).map((change) =>
    change.kind === 'removed'
      ? `removed ${change.url}`
      : `${change.kind} ${change.endpoint.url} ${change.endpoint.name}`,
  );
}
