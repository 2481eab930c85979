import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../values/index.ts';
import type { HostFacts } from './host-facts.ts';
import { neededPrograms, wantedStack } from './host-services.ts';
import { parseHosts } from './hosts.ts';

const two = ['admin@10.0.0.7', '10.0.0.8'];

test('engines on several hosts listen for the router, which is on the first host', () => {
  const { hosts, routerUrl } = stack(
    'servingEngineSpec: {modelSpec: [{name: q, kind: embedded, replicaCount: 2}]}',
    two,
  );
  assert.equal(routerUrl, 'http://10.0.0.7:8000');
  assert.deepEqual(
    hosts.map(({ services }) => services.map(({ unit, healthUrl }) => `${unit} ${healthUrl}`)),
    [
      [
        'spillway-vllm_q-1.service http://10.0.0.7:8100/health',
        'spillway-vllm_router.service http://10.0.0.7:8000/health',
      ],
      ['spillway-vllm_q-2.service http://10.0.0.8:8100/health'],
    ],
  );
  const router = textOf(hosts[0], 'router.service');
  assert.match(router, /--static-backends http:\/\/10\.0\.0\.7:8100,http:\/\/10\.0\.0\.8:8100 /);
  assert.match(textOf(hosts[1], 'q-2.service'), / --host 10\.0\.0\.8 --port 8100/);
});

test('engines beside their router stay on loopback', () => {
  const { hosts } = stack('servingEngineSpec: {modelSpec: [{name: q, kind: embedded}]}', ['gpu1']);
  assert.match(textOf(hosts[0], 'q.service'), / --host 127\.0\.0\.1 /);
  assert.match(textOf(hosts[0], 'router.service'), / --host 0\.0\.0\.0 /);
});

test('vLLM gets its own GPUs and its secrets by a file that root alone reads', () => {
  const { hosts } = stack(
    'servingEngineSpec: {vllmApiKey: sk-1, modelSpec: [{name: q, kind: vllm, modelURL: m, replicaCount: 2, hf_token: hf-1}]}',
    ['gpu1'],
    { gpus: [0, 1] },
  );
  const files = hosts[0]?.files ?? [];
  const environment = files.filter(({ path }) => path.endsWith('.env'));
  assert.deepEqual(
    environment.map(({ mode, text }) => [mode, text.match(/CUDA_VISIBLE_DEVICES="(.)"/)?.[1]]),
    [
      ['600', '0'],
      ['600', '1'],
      ['600', undefined],
    ],
  );
  assert.ok(environment.every(({ text }) => text.includes('sk-1')));
  const units = files.filter(({ path }) => path.endsWith('.service'));
  assert.ok(units.every(({ text }) => !/sk-1|hf-1/.test(text)));
});

test('the keys of the router reach it by such a file, and a secret of Kubernetes is refused', () => {
  const spec = 'servingEngineSpec: {modelSpec: [{name: q, kind: embedded}]}\nrouterSpec: ';
  const { hosts } = stack(`${spec}{apiKey: rk-1, peersKey: pk-1}`, ['gpu1']);
  const files = hosts[0]?.files ?? [];
  const holders = files.filter(({ text }) => /rk-1|pk-1/.test(text));
  assert.deepEqual(
    holders.map(({ path, mode }) => [path, mode]),
    [['/etc/spillway/vllm/spillway-vllm_router.env', '600']],
  );
  assert.match(holders[0]?.text ?? '', /^SPILLWAY_ROUTER_API_KEY="rk-1"$/m);
  const secret = `${spec}{apiKey: {secretName: keys, secretKey: router}}`;
  assert.throws(
    () => stack(secret, ['gpu1']),
    /routerSpec\.apiKey names the Kubernetes secret "keys"/,
  );
});

test('containers get their devices, their image and the flags of the engine', () => {
  const text = (container: string) =>
    textOf(
      stack(
        `servingEngineSpec: {modelSpec: [{name: q, kind: vllm, modelURL: m, repository: vllm/vllm-openai, tag: v0.32.0}]}
spillway: {bareMetal: {container: ${container}}}`,
        ['gpu1'],
        { gpus: [3] },
      ).hosts[0],
      'q.service',
    );
  assert.match(
    text('docker'),
    /ExecStart=\/opt\/docker run .* --gpus "\\"device=3\\"" .* vllm\/vllm-openai:v0\.32\.0 m --host 127\.0\.0\.1 --port 8100/,
  );
  assert.match(
    text('podman'),
    /--device nvidia\.com\/gpu=3 .* vllm\/vllm-openai:v0\.32\.0 m --host/,
  );
});

test('a cache server is on the first host, and engines with LMCache know it', () => {
  const text = `servingEngineSpec: {modelSpec: [{name: q, kind: embedded, replicaCount: 2, lmcacheConfig: {enabled: true}}]}
cacheserverSpec: {enabled: true}`;
  const { hosts } = stack(text, two);
  assert.match(textOf(hosts[0], 'cache.service'), /spillway cache --host 10\.0\.0\.7 --port 8097 /);
  for (const [host, name] of [
    [0, 'q-1'],
    [1, 'q-2'],
  ] as const) {
    assert.match(
      textOf(hosts[host], `${name}.env`),
      /LMCACHE_REMOTE_URL="lm:\/\/10\.0\.0\.7:8097"/,
    );
  }
});

test('LMCache’s server beside an engine has the cache server as its second level', () => {
  const entry = 'name: q, kind: vllm, modelURL: m, replicaCount: 2';
  const cache = 'enabled: true, mpServer: true, cpuOffloadingBufferSize: 60';
  const text = `servingEngineSpec: {modelSpec: [{${entry}, lmcacheConfig: {${cache}}}]}
cacheserverSpec: {enabled: true}`;
  const { hosts } = stack(text, two, { gpus: [0] });
  assert.match(textOf(hosts[1], 'q-2.service'), /startup_nodes.{1,6}:.{1,6}10\.0\.0\.7:8098/);
  assert.doesNotMatch(textOf(hosts[1], 'q-2.env'), /LMCACHE/);
});

test('services that would be one unit are refused', () => {
  const refused = (entries: string, more = '') =>
    assert.throws(() => stack(`servingEngineSpec: {modelSpec: [${entries}]}\n${more}`, ['gpu1']), {
      name: 'InputError',
      message: /would both be the unit spillway-vllm_[\w-]+\.service: rename the entry in/,
    });
  refused('{name: router, kind: embedded}');
  refused('{name: cache, kind: embedded}', 'cacheserverSpec: {enabled: true}');
  refused('{name: "a b", kind: embedded}, {name: a-b, kind: embedded}');
});

test('each host needs only the programs of its services', () => {
  const { values } = valuesOf(
    'servingEngineSpec: {modelSpec: [{name: q, kind: vllm, modelURL: m}]}\nspillway: {vllmCommand: [/opt/vllm, serve]}',
  );
  assert.deepEqual(neededPrograms(values), {
    all: ['systemctl', 'curl', 'base64'],
    engines: ['/opt/vllm'],
    router: ['spillway'],
  });
});

function valuesOf(text: string) {
  return resolveValues({ files: [{ name: 'f', text }] });
}

function stack(text: string, names: readonly string[], facts: Partial<HostFacts> = {}) {
  const { values } = valuesOf(text);
  const programs = new Map(
    ['spillway', 'vllm', 'docker', 'podman'].map((name) => [name, `/opt/${name}`]),
  );
  const hosts = parseHosts(names).map((host) => ({
    host,
    facts: { systemdVersion: 252, isBooted: true, gpus: [], programs, ...facts },
  }));
  return wantedStack({ release: 'vllm', values, hosts, environment: {} });
}

function textOf(host: ReturnType<typeof stack>['hosts'][number] | undefined, end: string): string {
  return host?.files.find(({ path }) => path.endsWith(end))?.text ?? '';
}
