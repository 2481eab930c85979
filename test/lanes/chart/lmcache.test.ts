// LMCache in the pods of engines: its server in multiprocess mode, and the ports of its P2P.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Manifest, objects, one } from './helm.ts';

type Port = Readonly<Record<'name' | 'containerPort' | 'port' | 'targetPort', string | number>>;

const engine = {
  ...{ name: 'm', repository: 'vllm/vllm-openai', tag: 'v0.32.0', modelURL: 'org/model' },
  ...{ requestCPU: 4, requestMemory: '16Gi', requestGPU: 1 },
};
const render = (lmcacheConfig: object, rest: object = {}, entry: object = {}) =>
  objects({
    servingEngineSpec: {
      modelSpec: [{ ...engine, ...entry, lmcacheConfig: { enabled: true, ...lmcacheConfig } }],
    },
    ...rest,
  });
const podOf = (all: readonly Manifest[]) =>
  one(all, 'Deployment', '-m-deployment-vllm')['spec'].template.spec;
const envOf = (all: readonly Manifest[]) =>
  Object.fromEntries(
    podOf(all).containers[0].env.map((one: { name: string; value?: string }) => [
      one.name,
      one.value,
    ]),
  );
const connectorOf = (all: readonly Manifest[]) => {
  const { command } = podOf(all).containers[0];
  return JSON.parse(command[command.indexOf('--kv-transfer-config') + 1]);
};

test('LMCache’s server of a node: its address is in the connector, and none of its settings in the environment', async () => {
  const env = [{ name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }];
  const all = await render(
    { mpServer: '$(HOST_IP):5555', cpuOffloadingBufferSize: '20' },
    { cacheserverSpec: { enabled: true } },
    { env },
  );
  assert.deepEqual(connectorOf(all), {
    kv_connector: 'LMCacheMPConnector',
    kv_connector_extra_config: {
      'lmcache.mp.host': 'tcp://$(HOST_IP)',
      'lmcache.mp.port': 5555,
    },
    kv_load_failure_policy: 'recompute',
    kv_role: 'kv_both',
  });
  const names = Object.keys(envOf(all)).filter((name) => name.startsWith('LMCACHE_'));
  assert.deepEqual(names, ['LMCACHE_LOG_LEVEL']);
  assert.ok('HOST_IP' in envOf(all), 'Kubernetes replaces $(HOST_IP) in arguments');
  assert.equal(podOf(all).hostIPC, true, 'GPU memory is shared with another pod');
});

test('LMCache’s server in the pod has the cache server of the stack as its second level', async () => {
  const started = { mpServer: true, cpuOffloadingBufferSize: '20' };
  const argsOf = async (rest: object) => {
    const all = await render(started, rest);
    assert.equal(podOf(all).hostIPC, undefined);
    const { kv_connector_extra_config: extra } = connectorOf(all);
    assert.equal(extra['lmcache.mp.autostart'], true);
    return extra['lmcache.mp.autostart.server_args'];
  };
  assert.equal(await argsOf({}), '--l1-size-gb 20 --eviction-policy LRU');
  const shared = await argsOf({ cacheserverSpec: { enabled: true } });
  assert.equal(
    shared,
    `--l1-size-gb 20 --eviction-policy LRU --l2-adapter '{"type":"valkey","startup_nodes":"vllm-cache-server-service:6379"}'`,
  );
  // LMCache's own cache server has no Redis protocol.
  const image = { repository: 'docker.io/lmcache/vllm-openai' };
  const other = await argsOf({ cacheserverSpec: { enabled: true, image } });
  assert.equal(other, '--l1-size-gb 20 --eviction-policy LRU');
});

test('settings that multiprocess mode lacks are refused', async () => {
  for (const key of ['enablePD', 'enableController', 'enableP2P']) {
    await assert.rejects(
      render({ mpServer: 'h:5555', [key]: true }),
      new RegExp(`lmcacheConfig.${key} of m is for LMCache in the engine's process`),
    );
  }
  await assert.rejects(render({ mpServer: true }), /mpServer: true of m needs cpuOffloading/);
  await assert.rejects(render({ mpServer: 'h' }), /mpServer/);
});

const p2p = {
  ...{ enableController: true, controllerPort: 9000, controllerReplyPort: 9001, enableP2P: true },
  ...{ p2pInitPorts: '8200,8201', p2pLookupPorts: '8300,8301', workerPorts: '8400, 8401' },
};

test('the ports of P2P are open in each pod, at the address that LMCache tells other engines', async () => {
  const all = await render(p2p, {}, { replicaCount: 3, vllmConfig: { tensorParallelSize: 2 } });
  const [container] = podOf(all).containers;
  const ports = new Map(container.ports.map((port: Port) => [port.containerPort, port.name]));
  const env = envOf(all);
  for (const name of ['P2P_INIT_PORTS', 'P2P_LOOKUP_PORTS', 'LMCACHE_WORKER_PORTS']) {
    const given = String(env[`LMCACHE_${name}`]).split(',').map(Number);
    assert.equal(given.length, 2, name);
    for (const port of given)
      assert.ok(ports.has(port), `${name}: ${port} of ${[...ports.keys()]}`);
  }
  assert.ok([...ports.values()].every((name) => String(name).length <= 15));
  assert.equal(new Set(ports.values()).size, container.ports.length);
  const host = container.env.find(({ name }: { name: string }) => name === 'LMCACHE_P2P_HOST');
  assert.deepEqual(host.valueFrom, { fieldRef: { fieldPath: 'status.podIP' } });
  const service = one(all, 'Service', '-m-engine-service')['spec'].ports.map((p: Port) => p.port);
  assert.deepEqual(service, [80, 55555, 9999], 'a Service would choose any of the engines');
});

test('with p2pHost, the Service of the engine has the ports of P2P', async () => {
  const named = { ...p2p, p2pHost: 'vllm-m-engine-service' };
  const all = await render(named);
  const container: readonly Port[] = podOf(all).containers[0].ports;
  const service: readonly Port[] = one(all, 'Service', '-m-engine-service')['spec'].ports;
  for (const port of [8200, 8201, 8300, 8301, 8400, 8401]) {
    const outside = service.find((one) => one.port === port);
    assert.equal(
      container.find((one) => one.name === outside?.targetPort)?.containerPort,
      port,
      `${port}`,
    );
  }
  assert.equal(envOf(all).LMCACHE_P2P_HOST, 'vllm-m-engine-service');
  await assert.rejects(
    render(named, {}, { replicaCount: 2 }),
    /p2pHost of m would be the address of all its engines/,
  );
});

test('P2P without its ports or its controller is refused', async () => {
  const { p2pLookupPorts: _, ...lacking } = p2p;
  await assert.rejects(render(lacking), /enableP2P of m needs p2pLookupPorts: a port for each GPU/);
  const alone = { ...p2p, enableController: false };
  await assert.rejects(render(alone), /enableP2P of m needs enableController: true/);
});
