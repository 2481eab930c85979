// Each key of the values schema changes what is rendered, and its value is there, unless core/layout/keys/stack-keys.ts says
// why not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subchartKeys, vainChartKeys } from '../../../src/core/layout/index.ts';
import { allKeys, type SchemaNode } from '../../../src/core/values/index.ts';
import { objects } from './helm.ts';

type Json = Record<string, unknown>;

const image = { repository: 'vllm/vllm-openai', tag: 'v0.32.0' };
const resources = { requestCPU: 4, requestMemory: '16Gi', requestGPU: 1 };
const lmcacheConfig = { enabled: true, cpuOffloadingBufferSize: 20 };
const withPeersPorts = {
  ...{ ...lmcacheConfig, enableController: true, controllerPort: 9000, controllerReplyPort: 9001 },
  ...{ workerPorts: '8100,8101', p2pInitPorts: '8200,8201', p2pLookupPorts: '8300,8301' },
};
const vllm = {
  ...{ name: 'm', kind: 'vllm', modelURL: 'org/model-8b', replicaCount: 2, ...image, ...resources },
  ...{ vllmConfig: { maxModelLen: 8192, tensorParallelSize: 2 }, lmcacheConfig },
  ...{ pvcStorage: '50Gi', enableLoRA: true, pdb: { enabled: true } },
  ...{ initContainer: { name: 'init', image: 'busybox' }, keda: { enabled: true } },
  tolerations: [{ key: 'own' }],
};
const { keda: _, requestGPU: __, ...pinned } = vllm;

/** Stacks in which keys may have an effect; a key needs one. */
const stacks: readonly Json[] = [
  {
    servingEngineSpec: {
      vllmApiKey: 'k',
      tolerations: [{ key: 'all' }],
      modelSpec: [vllm],
      serviceMonitor: { enabled: true },
      configs: { A: 'b' },
    },
    routerSpec: {
      replicaCount: 2,
      pdb: { enabled: true },
      ingress: { enabled: true, hosts: [{ host: 'h', paths: [{ path: '/p' }] }] },
      route: { main: { enabled: true } },
      serviceMonitor: { enabled: true },
    },
    cacheserverSpec: { enabled: true, replicaCount: 3, pdb: { enabled: true } },
    sharedPvcStorage: { enabled: true },
    grafanaDashboards: { enabled: true },
    loraController: { enableLoraController: true, pdb: { enabled: true } },
    loraAdapters: [
      { name: 'a', baseModel: 'b', adapterSource: { type: 'local', adapterName: 'a' } },
    ],
    spillway: {
      prometheusRule: { enabled: true },
      networkPolicy: { enabled: true },
      gate: { enabled: true },
    },
  },
  // Without keda the replicas are the chart's; the resources and the container's user are free.
  {
    servingEngineSpec: { modelSpec: [{ ...pinned, chatTemplate: 't.jinja' }], restricted: true },
    routerSpec: { serviceType: 'NodePort', autoscaling: { enabled: true } },
    sharedPvcStorage: { enabled: true, nfs: { server: 's', path: '/p' } },
    // Another image than the default, which stands for Spillway's.
    cacheserverSpec: { enabled: true, image: { repository: 'registry.example/lmcache' } },
    loraController: { enableLoraController: true },
  },
  {
    servingEngineSpec: {
      modelSpec: [
        { name: 'e', kind: 'embedded', modelURL: 'Qwen/Qwen3-8B', replicaCount: 1 },
        { ...pinned, lmcacheConfig: { enabled: true, enablePD: true, enableNixl: true } },
      ],
    },
    routerSpec: {
      repository: 'registry.example/router',
      lmcacheControllerPort: 9000,
      otel: { endpoint: 'e:1' },
    },
  },
  {
    servingEngineSpec: {
      modelSpec: [
        {
          ...pinned,
          raySpec: {
            enabled: true,
            headNode: { ...resources, initContainer: { name: 'i', image: 'j' } },
          },
        },
      ],
    },
    routerSpec: { serviceDiscovery: 'static', staticBackends: 'http://a', staticModels: 'm' },
  },
  {
    servingEngineSpec: {
      modelSpec: [{ name: 'u', kind: 'url', urls: ['http://a'], modelURL: 'm' }],
    },
    routerSpec: { serviceDiscovery: 'static' },
  },
  // P2P needs a controller and all of its ports.
  {
    servingEngineSpec: { modelSpec: [{ ...pinned, lmcacheConfig: withPeersPorts }] },
  },
];

const baselines = new Map<Json, Promise<string | undefined>>();
const baselineOf = (stack: Json) => {
  const known = baselines.get(stack) ?? rendered(stack);
  baselines.set(stack, known);
  return known;
};

/** Undefined if Helm refuses the values. */
async function rendered(values: Json): Promise<string | undefined> {
  try {
    // A sample such as a mount without its volume is not for a cluster.
    return JSON.stringify(await objects(values, { checked: false }));
  } catch (error) {
    if ((error as { stderr?: string }).stderr !== undefined) return undefined;
    throw error;
  }
}

const reasons = Object.keys({ ...vainChartKeys, ...subchartKeys });
const keys = allKeys().filter(({ path, node }) => {
  if (node['x-ignored']) return false;
  // KEDA's own keys: the list goes there as it is.
  if (/\.triggers(\[\])?\./.test(path)) return false;
  if (reasons.some((key) => path === key || path.startsWith(`${key}.`))) return false;
  // Lists and maps with keys of their own: those are tested.
  if (
    allKeys().some(
      (one) => one.path.startsWith(`${path}[].`) || one.path.startsWith(`${path}.NAME.`),
    )
  )
    return false;
  return (
    node.properties === undefined &&
    !node.anyOf?.some((one) => one.properties !== undefined && isOnlyMap(node))
  );
});

function isOnlyMap(node: SchemaNode): boolean {
  return (node.anyOf ?? []).every((one) => one.type === 'object' || one.type === 'array');
}

for (const { path, node } of keys) {
  test(`${path} has an effect`, async () => {
    const tried: string[] = [];
    for (const stack of stacks) {
      for (const value of samples(node, path)) {
        const changed = withKey(stack, path, value);
        if (changed === undefined) continue;
        const after = await rendered(changed);
        // Not a value for this stack.
        if (after === undefined) continue;
        const before = (await baselineOf(stack)) ?? assert.fail('a stack does not render');
        if (before === after) continue;
        const words = wordsOf(value);
        const isMore = (word: string) => after.split(word).length > before.split(word).length;
        if (words.length === 0 || words.some(isMore)) return;
        tried.push(`${JSON.stringify(value)} changes something, but is not there`);
      }
    }
    assert.fail(tried[0] ?? 'nothing changes with it');
  });
}

/** Values to try, unlike the default. */
function samples(node: SchemaNode, path: string): readonly unknown[] {
  const special = specials.find(([pattern]) => pattern.test(path));
  if (special) return special[1];
  if (node.anyOf)
    return node.anyOf.flatMap((one) => samples({ ...one, default: node.default }, path));
  if (node.enum) return node.enum.filter((one) => one !== node.default);
  switch (node.type) {
    case 'boolean':
      return node.default === true ? [false] : node.default === false ? [true] : [true, false];
    case 'integer':
      return [Math.max(node.minimum ?? 0, Math.min(node.maximum ?? 61_437, 61_437))];
    case 'number':
      return [0.437];
    case 'string':
      if (node.pattern === undefined) return ['sentinel'];
      if (node.pattern.includes('sha256')) return [`sha256:${'a1'.repeat(32)}`];
      if (node.examples !== undefined) return node.examples;
      return node.pattern.includes('numkMGTPE') ? ['437Mi'] : ['0.437'];
    case 'array':
      return node.items?.type === 'string' ? [['sentinel']] : [[{ name: 'sentinel', value: 'x' }]];
    case 'object':
      return [{ sentinel: 'x' }];
    default:
      return [];
  }
}

/** Keys whose values have a form that the schema does not say. */
const specials: readonly (readonly [RegExp, readonly unknown[]])[] = [
  [/modelSpec\[\]\.kind$/, ['embedded']],
  [/modelSpec\[\]\.urls$/, [['http://sentinel']]],
  [/modelSpec\[\]\.enabled$/, [false]],
  [/pvcStorage$/, ['437Gi', { emptyDir: { sizeLimit: '437Gi' } }]],
  [/raySpec\.enabled$/, [true, false]],
  [/maxModelLen$/, [61_437]],
  [/OffloadingBufferSize$/, [437]],
  [/\.v[01]$/, ['1', '0']],
  [/extraPorts$/, [[{ name: 'sentinel', port: 61_437 }]]],
  [/startupSeconds$/, [61_430]],
  [/(requestGPU|replicaCount|minReplicas|maxReplicas)$/, [437]],
  [/route\.NAME\.httpsRedirect$/, [true]],
  [/triggers$/, [[{ type: 'sentinel' }]]],
  [/topologySpreadConstraints$/, [[{ topologyKey: 'sentinel' }]]],
  [/(livenessProbe|startupProbe|readinessProbe)\.exec$/, [{ command: ['sentinel'] }]],
  [/tcpSocket$/, [{ port: 61_437 }]],
  [/grpc$/, [{ port: 61_437 }]],
  [/startupProbe\.periodSeconds$/, [437]],
  [/cacheserverSpec\.extraArgs$/, [['sentinel']]],
  [/cacheserverSpec\.memory$/, ['437MiB']],
  [/cacheserverSpec\.copies$/, [3]],
  [/kvEvents$/, [true]],
  [/scalingModifiers$/, [{ formula: 'sentinel' }]],
  [/spillway\.routingLogic$/, ['leastloaded']],
  [/routerSpec\.repository$/, ['sentinel']],
];

/** What must be found among the rendered objects; nothing for switches, and for what is computed from the value. */
function wordsOf(value: unknown): readonly string[] {
  if (value === 437 || value === 61_437 || value === 0.437) return [String(value)];
  const text = JSON.stringify(value);
  const [word] = /sentinel|437[A-Za-z]*|61437|a1a1a1/.exec(text) ?? [];
  // Secrets are encoded.
  return word === undefined ? [] : [word, Buffer.from(word).toString('base64')];
}

/** Returns the stack with a key set; undefined if it has no place for it. */
function withKey(stack: Json, path: string, value: unknown): Json | undefined {
  const result = structuredClone(stack);
  const steps = path.replaceAll('[]', '.[]').split('.');
  let places: unknown[] = [result];
  for (const [index, step] of steps.entries()) {
    const isLast = index === steps.length - 1;
    places = places.flatMap((place) => {
      if (step === '[]') {
        if (!Array.isArray(place)) return [];
        if (place.length === 0) place.push({});
        return place;
      }
      const map = place as Json;
      const key = step === 'NAME' ? 'main' : step;
      if (isLast) {
        map[key] = value;
        // A reference to a secret needs both its parts.
        if (/^secret(Name|Key)$/.test(key))
          map[key === 'secretKey' ? 'secretName' : 'secretKey'] = 'x';
        return [map];
      }
      const isList = steps[index + 1] === '[]';
      // A probe by something else than HTTP, or another entry of a list, needs what is there already.
      map[key] ??= isList ? [] : {};
      if (typeof map[key] !== 'object') map[key] = {};
      return [map[key]];
    });
  }
  return places.length === 0 ? undefined : result;
}
