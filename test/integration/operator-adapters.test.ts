// LoraAdapter over the API of a scripted cluster: its pods are embedded engines, which respond as vLLM does.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AdapterFolderError, createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { type ScriptedCluster, scriptedCluster } from '../support/scripted-cluster.ts';
import { startedOperator } from '../support/started-operator.ts';
import { until } from '../support/until.ts';

const tokenizer = await loadTokenizer();

test('an adapter is loaded on each engine, again after a restart, and unloaded before its resource goes', async (t) => {
  const cluster = await scriptedCluster(t);
  const [a, b] = [await startPod(t, cluster, 'a'), await startPod(t, cluster, 'b')];
  cluster.put('loraadapters', adapter('sql'));
  startedOperator(t, { access: cluster.api.access, namespace: 'default' });
  await until(() => statusOf(cluster, 'sql').phase === 'Ready');
  assert.deepEqual([await a.adapters(), await b.adapters()], [['sql'], ['sql']]);
  assert.deepEqual(
    statusOf(cluster, 'sql').loadedAdapters.map(({ name, path, podAssignments }) => [
      ...[name, path, podAssignments.podName],
    ]),
    [
      ['sql', '/lora/sql', 'a'],
      ['sql', '/lora/sql', 'b'],
    ],
  );
  // Upstream's router reads the models of a pod again when this annotation changes.
  assert.ok(cluster.get('pods', 'a')?.metadata.annotations?.['lora-modified']);
  await until(() => cluster.writes.some((write) => write.startsWith('POST events')));

  await a.restart();
  await until(async () => (await a.adapters()).includes('sql'));

  const found = cluster.get('loraadapters', 'sql');
  const deletionTimestamp = new Date().toISOString();
  cluster.put('loraadapters', { ...found, metadata: { ...found?.metadata, deletionTimestamp } });
  await until(() => cluster.get('loraadapters', 'sql')?.metadata.finalizers?.length === 0);
  assert.deepEqual([await a.adapters(), await b.adapters()], [[], []]);
});

test('what an engine refuses is in the condition, and is tried again', async (t) => {
  const cluster = await scriptedCluster(t);
  const missing = new Set(['/lora/sql']);
  const a = await startPod(t, cluster, 'a', { missing });
  cluster.put('loraadapters', adapter('sql'));
  startedOperator(t, { access: cluster.api.access, namespace: 'default' });
  await until(() => readyOf(cluster, 'sql')?.reason === 'LoadFailed');
  assert.match(
    readyOf(cluster, 'sql')?.message ?? '',
    /^Loaded on 0 of 1 engines\. a: status 404: Loading lora sql failed: No adapter found for \/lora\/sql$/,
  );
  missing.clear();
  await until(() => statusOf(cluster, 'sql').phase === 'Ready');
  assert.deepEqual(await a.adapters(), ['sql']);
});

test('an engine that may not load adapters while it runs is named with the cure', async (t) => {
  const cluster = await scriptedCluster(t);
  await startPod(t, cluster, 'a', { isFixed: true });
  cluster.put('loraadapters', adapter('sql'));
  startedOperator(t, { access: cluster.api.access, namespace: 'default' });
  await until(() => readyOf(cluster, 'sql')?.reason === 'RuntimeUpdatesDisabled');
  assert.match(readyOf(cluster, 'sql')?.message ?? '', /VLLM_ALLOW_RUNTIME_LORA_UPDATING=True/);
});

test('the sidecar downloads first, with the credentials of the secret, and the engine loads from its folder', async (t) => {
  const cluster = await scriptedCluster(t);
  const asked: unknown[] = [];
  const sidecar = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    asked.push([request.url, JSON.parse(body)]);
    response.end('{"path":"/data/lora-adapters/x"}');
  });
  await new Promise<void>((resolve) => sidecar.listen(0, '127.0.0.1', resolve));
  t.after(() => sidecar.close());
  const { port } = sidecar.address() as AddressInfo;
  const a = await startPod(t, cluster, 'a', { sidecarPort: port });
  cluster.put('secrets', {
    metadata: { name: 'hub' },
    data: { token: Buffer.from('hf_secret\n').toString('base64') },
  });
  cluster.put(
    'loraadapters',
    adapter('sql', {
      ...{ type: 'huggingface', repository: 'org/sql' },
      credentialsSecretRef: { name: 'hub', key: 'token' },
    }),
  );
  startedOperator(t, { access: cluster.api.access, namespace: 'default' });
  await until(() => statusOf(cluster, 'sql').phase === 'Ready');
  assert.deepEqual(await a.adapters(), ['sql']);
  const [{ path = '' } = {}] = statusOf(cluster, 'sql').loadedAdapters;
  assert.match(path, /^\/data\/lora-adapters\/sql-[0-9a-f]{8}$/);
  const local_dir = path.slice('/data/lora-adapters/'.length);
  assert.deepEqual(asked, [
    ['/model/download', { model_id: 'org/sql', local_dir, token: 'hf_secret' }],
  ]);
});

test('a secret that does not exist is named', async (t) => {
  const cluster = await scriptedCluster(t);
  await startPod(t, cluster, 'a');
  const { spec, ...rest } = adapter('sql');
  const vllmApiKey = { secretName: 'keys', secretKey: 'engine' };
  cluster.put('loraadapters', { ...rest, spec: { ...spec, vllmApiKey } });
  startedOperator(t, { access: cluster.api.access, namespace: 'default' });
  await until(() => readyOf(cluster, 'sql')?.reason === 'EngineUnreachable');
  assert.match(readyOf(cluster, 'sql')?.message ?? '', /secret keys has no key engine/);
});

function adapter(name: string, source?: object) {
  const local = { type: 'local', adapterPath: `/lora/${name}` };
  return {
    kind: 'LoraAdapter',
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { baseModel: 'qwen', adapterSource: { adapterName: name, ...(source ?? local) } },
  };
}

interface PodOptions {
  /** Paths where no adapter is. */
  readonly missing?: ReadonlySet<string>;
  /** Without VLLM_ALLOW_RUNTIME_LORA_UPDATING. */
  readonly isFixed?: boolean;
  readonly sidecarPort?: number;
}

/** A pod of the cluster, whose engine listens on a port of its own. */
async function startPod(
  t: TestContext,
  cluster: ScriptedCluster,
  name: string,
  { missing = new Set(), isFixed = false, sidecarPort }: PodOptions = {},
) {
  const start = (port: number) =>
    createEngineServer({
      ...{ host: '127.0.0.1', port, model: 'm', tokenizer },
      config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 200, blockSize: 16 }),
      cost: { stepSeconds: () => 0.005 },
      allowRuntimeLoraUpdating: !isFixed,
      lora: {
        maxRank: 16,
        check: async (path) => {
          if (missing.has(path)) throw new AdapterFolderError('missing', true);
        },
      },
    });
  let engine = await start(0);
  t.after(() => engine.close());
  const port = Number(new URL(engine.url).port);
  let restartCount = 0;
  const put = () => {
    const env = [
      { name: 'PORT', value: String(sidecarPort) },
      { name: 'LORA_DOWNLOAD_BASE_DIR', value: '/data/lora-adapters' },
    ];
    const sidecar = sidecarPort === undefined ? [] : [{ name: 'sidecar', env }];
    cluster.put('pods', {
      kind: 'Pod',
      metadata: { name, labels: { model: 'qwen' } },
      spec: { containers: [{ ports: [{ name: 'http', containerPort: port }] }, ...sidecar] },
      status: {
        ...{ phase: 'Running', podIP: '127.0.0.1', containerStatuses: [{ restartCount }] },
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
  };
  put();
  return {
    adapters: async () => {
      const { data } = (await (
        await fetch(`${engine.url}/v1/models`, { headers: { connection: 'close' } })
      ).json()) as {
        readonly data: readonly { readonly id: string; readonly parent: string | null }[];
      };
      return data.filter(({ parent }) => parent !== null).map(({ id }) => id);
    },
    restart: async () => {
      await engine.close();
      engine = await start(port);
      restartCount += 1;
      put();
    },
  };
}

interface AdapterStatus {
  readonly phase?: string;
  readonly loadedAdapters: readonly {
    readonly name: string;
    readonly path: string;
    readonly podAssignments: { readonly podName: string };
  }[];
  readonly conditions?: readonly {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

function statusOf(cluster: ScriptedCluster, name: string): AdapterStatus {
  const { loadedAdapters = [], ...status } = (cluster.get('loraadapters', name)?.status ??
    {}) as Partial<AdapterStatus>;
  return { ...status, loadedAdapters };
}

function readyOf(cluster: ScriptedCluster, name: string) {
  return statusOf(cluster, name).conditions?.find(({ type }) => type === 'Ready');
}
