import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdapterPod, readAdapterPod } from './adapter-pod.ts';
import type { AdapterCard, AdapterResource, AdaptersObserved, PodReport } from './contract.ts';
import { adapterFinalizer, planAdapters } from './plan.ts';

const now = '2026-01-01T00:00:00Z';

interface Wanted {
  readonly name?: string;
  readonly source?: object;
  readonly deployment?: object;
  readonly metadata?: object;
  readonly status?: unknown;
}

function adapter({
  name = 'sql',
  source,
  deployment,
  metadata,
  status,
}: Wanted = {}): AdapterResource {
  return {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'LoraAdapter' },
    metadata: {
      ...{ name, namespace: 'default', uid: `uid-${name}`, generation: 1 },
      ...{ finalizers: [adapterFinalizer], creationTimestamp: now },
      ...metadata,
    },
    spec: {
      baseModel: 'qwen',
      adapterSource: { type: 'local', adapterName: name, adapterPath: `/lora/${name}`, ...source },
      ...(deployment && { loraAdapterDeploymentConfig: deployment }),
    },
    status,
  };
}

function pod(name: string, more: Partial<AdapterPod> = {}): AdapterPod {
  return {
    ...{ name, namespace: 'default', uid: `uid-${name}`, model: 'qwen', isReady: true },
    ...{ url: `http://${name}:8000`, restarts: 0, sidecar: undefined },
    ...more,
  };
}

/** @param loaded What each pod reports: adapters by name and path, or why it does not. */
function plan(
  adapters: readonly AdapterResource[],
  pods: readonly AdapterPod[],
  loaded: Readonly<Record<string, Readonly<Record<string, string>> | string>> = {},
  more: Partial<AdaptersObserved> = {},
) {
  const reports = new Map(
    pods.map(({ name, uid }): [string, PodReport] => {
      const said = loaded[name] ?? {};
      if (typeof said === 'string') return [uid, { failure: said }];
      const cards = Object.entries(said).map(([name, path]): AdapterCard => ({ name, path }));
      return [uid, { adapters: cards }];
    }),
  );
  const result = planAdapters({ adapters, pods, reports, attempts: new Map(), now, ...more });
  return {
    ...result,
    calls: result.actions.map(
      ({ kind, pod, name, path, isReplaced }) =>
        `${kind} ${name} on ${pod.name}${path && ` from ${path}`}${isReplaced ? ' in place' : ''}`,
    ),
    status: Object(result.statuses[0]?.status),
  };
}

test('an adapter is loaded where it is missing, and nothing is done once it is there', () => {
  const [a, b] = [pod('a'), pod('b')];
  const first = plan([adapter()], [a, b], { a: { sql: '/lora/sql' } });
  assert.deepEqual(first.calls, ['load sql on b from /lora/sql']);
  assert.equal(first.status.phase, 'Loading');
  const there = { a: { sql: '/lora/sql' }, b: { sql: '/lora/sql' } };
  const second = plan([adapter()], [a, b], there);
  assert.deepEqual([second.calls, second.status.phase], [[], 'Ready']);
  assert.deepEqual(second.status.loadedAdapters[1], {
    ...{ name: 'sql', path: '/lora/sql', status: 'Loaded', loadTime: now },
    podAssignments: { namespace: 'default', podName: 'b' },
  });
  const third = plan([adapter({ status: second.status })], [a, b], there, {
    now: '2026-01-02T00:00:00Z',
  });
  assert.deepEqual(third.statuses, [], 'the time alone is no change');
});

test('a restarted engine has lost its adapters and gets them again', () => {
  const before = plan([adapter()], [pod('a')], { a: { sql: '/lora/sql' } }).status;
  const after = plan([adapter({ status: before })], [pod('a', { restarts: 1 })]);
  assert.deepEqual(after.calls, ['load sql on a from /lora/sql']);
  assert.deepEqual([after.status.phase, after.status.loadedAdapters], ['Loading', []]);
});

test('nothing is loaded before the finalizer is there, which sees to the unloading', () => {
  const { calls, finalizers } = plan(
    [adapter({ metadata: { finalizers: ['other'] } })],
    [pod('a')],
  );
  assert.deepEqual(calls, []);
  assert.deepEqual(finalizers[0]?.finalizers, ['other', adapterFinalizer]);
});

test('pods of other models, and pods that are not ready, get nothing', () => {
  const pods = [pod('other', { model: 'llama' }), pod('starting', { isReady: false })];
  const { calls, status } = plan([adapter()], pods);
  assert.deepEqual([calls, status.phase], [[], 'Pending']);
  assert.equal(status.conditions[0].reason, 'NoReadyPods');
});

test('an adapter that moves is unloaded only once the others have it', () => {
  const ordered = adapter({ deployment: { algorithm: 'ordered', replicas: 1 } });
  const pods = [pod('a'), pod('b')];
  assert.deepEqual(plan([ordered], pods, { b: { sql: '/lora/sql' } }).calls, [
    'load sql on a from /lora/sql',
  ]);
  const both = { a: { sql: '/lora/sql' }, b: { sql: '/lora/sql' } };
  assert.deepEqual(plan([ordered], pods, both).calls, ['unload sql on b']);
});

test('another path is loaded in place, and another name replaces the one before', () => {
  const changed = adapter({ source: { adapterPath: '/lora/sql-2' } });
  assert.deepEqual(plan([changed], [pod('a')], { a: { sql: '/lora/sql' } }).calls, [
    'load sql on a from /lora/sql-2 in place',
  ]);
  const { status } = plan([adapter()], [pod('a')], { a: { sql: '/lora/sql' } });
  const renamed = adapter({ status, source: { adapterName: 'sql-new' } });
  assert.deepEqual(plan([renamed], [pod('a')], { a: { sql: '/lora/sql' } }).calls, [
    ...['load sql-new on a from /lora/sql', 'unload sql on a'],
  ]);
});

test('adapters of the engine’s own flags are left alone', () => {
  const none = adapter({ deployment: { replicas: 0 } });
  const { calls, status } = plan([none], [pod('a')], { a: { static: '/s', sql: '/lora/sql' } });
  assert.deepEqual([calls, status.phase], [['unload sql on a'], 'Ready']);
});

test('a deleted adapter is unloaded everywhere before its finalizer goes', () => {
  const { status } = plan([adapter()], [pod('a'), pod('b')], { a: { sql: '/lora/sql' } });
  const gone = adapter({ status, metadata: { deletionTimestamp: now } });
  const pods = [pod('a'), pod('b')];
  const first = plan([gone], pods, { a: { sql: '/lora/sql' } });
  assert.deepEqual([first.calls, first.finalizers], [['unload sql on a'], []]);
  assert.deepEqual(plan([gone], pods).finalizers[0]?.finalizers, []);
});

test('an engine that does not respond delays the end of an adapter for five minutes, one that is gone not at all', () => {
  const { status } = plan([adapter()], [pod('a')], { a: { sql: '/lora/sql' } });
  const gone = adapter({ status, metadata: { deletionTimestamp: now } });
  const silent = { a: 'no response within 10 s' };
  assert.deepEqual(plan([gone], [pod('a')], silent).finalizers, []);
  const late = plan([gone], [pod('a')], silent, { now: '2026-01-01T00:05:00Z' });
  assert.equal(late.finalizers.length, 1);
  assert.equal(plan([gone], []).finalizers.length, 1);
});

test('an engine that does not say what it has keeps its place, and the status says so', () => {
  const one = { deployment: { replicas: 1 } };
  const before = plan([adapter(one)], [pod('b')], { b: { sql: '/lora/sql' } }).status;
  const { calls, status } = plan([adapter({ ...one, status: before })], [pod('a'), pod('b')], {
    b: '/v1/models: status 500',
  });
  assert.deepEqual([calls, status.loadedAdapters.length], [[], 1]);
  assert.equal(status.conditions[0].reason, 'EngineUnreachable');
});

test('of two adapters with one name the older one has it', () => {
  const younger = adapter({ name: 'b', source: { adapterName: 'sql' } });
  const older = adapter({ metadata: { creationTimestamp: '2025-01-01T00:00:00Z' } });
  const { calls, statuses } = plan([younger, older], [pod('a')]);
  assert.deepEqual(calls, ['load sql on a from /lora/sql']);
  const taken = statuses.find(({ adapter: { metadata } }) => metadata.name === 'b');
  assert.match(String(taken?.status['message']), /LoraAdapter sql already gives/);
});

test('a failed load is in the status with its reason, and is wanted again', () => {
  const pods = [pod('a'), pod('b')];
  const key = 'load uid-a sql /lora/sql';
  const attempts = new Map([
    [key, { state: 'failed', reason: 'LoadFailed', message: 'status 404: no adapter' }],
  ] as const);
  const { actions, status } = plan([adapter()], pods, { b: { sql: '/lora/sql' } }, { attempts });
  assert.equal(actions[0]?.key, key);
  assert.deepEqual([status.phase, status.conditions[0].reason], ['Partial', 'LoadFailed']);
  assert.equal(status.message, 'Loaded on 1 of 2 engines. a: status 404: no adapter');
});

test('Hugging Face is downloaded by the engine, or by the sidecar where there is one; S3 and HTTP need it', () => {
  const hub = { type: 'huggingface', adapterPath: undefined, repository: 'org/sql' };
  const sidecar = { url: 'http://a:30090', folder: '/data/lora-adapters' };
  assert.deepEqual(plan([adapter({ source: hub })], [pod('a')]).calls, [
    'load sql on a from org/sql',
  ]);
  const [action] = plan([adapter({ source: hub })], [pod('a', { sidecar })]).actions;
  assert.match(action?.path ?? '', /^\/data\/lora-adapters\/sql-[0-9a-f]{8}$/);
  const folder = action?.path.slice('/data/lora-adapters/'.length);
  assert.deepEqual(action?.download, { url: sidecar.url, repository: 'org/sql', folder });
  const s3 = { type: 's3', adapterPath: undefined, repository: 's3://bucket/sql' };
  const { calls, status } = plan([adapter({ source: s3 })], [pod('a')]);
  assert.deepEqual([calls, status.conditions[0].reason], [[], 'NoDownloader']);
  // Upstream's operator writes the path into the resource; a new pod has nothing there.
  const known = { ...hub, adapterPath: '/data/lora-adapters/sql' };
  const [again] = plan([adapter({ source: known })], [pod('a', { sidecar })]).actions;
  assert.deepEqual([again?.path, again?.download?.folder], ['/data/lora-adapters/sql', 'sql']);
});

test('a pod’s port, readiness and sidecar are read as upstream’s chart and operator set them', () => {
  const read = readAdapterPod({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'a', namespace: 'default', uid: 'u', labels: { model: 'qwen' } },
    spec: {
      containers: [
        { name: 'vllm', ports: [{ name: 'container-port', containerPort: 8100 }] },
        {
          name: 'sidecar',
          env: [
            { name: 'PORT', value: '30090' },
            { name: 'LORA_DOWNLOAD_BASE_DIR', value: '/data/l' },
          ],
        },
      ],
    },
    status: {
      ...{ phase: 'Running', podIP: 'fd00::1', containerStatuses: [{ restartCount: 2 }] },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
  assert.deepEqual(read, {
    ...{ namespace: 'default', name: 'a', uid: 'u', model: 'qwen', isReady: true, restarts: 2 },
    url: 'http://[fd00::1]:8100',
    sidecar: { url: 'http://[fd00::1]:30090', folder: '/data/l' },
  });
});
