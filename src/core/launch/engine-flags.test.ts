import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelEntry, resolveValues } from '../values/index.ts';
import { engineEnvironment } from './engine-environment.ts';
import { embeddedEngineFlags, vllmFlags } from './engine-flags.ts';
import { planEngines, servedModel } from './engine-plan.ts';
import { routerFlags } from './router-flags.ts';

const ports = { http: 9001, kvEvents: 9002, kvReplay: 9003 };
const listen = ['--host', '127.0.0.1', '--port', '9001'];
const { cacheserverSpec: store } = resolveValues({}).values;

/** YAML of one key of the entry, the flags of the embedded engine, and those of vLLM. */
const perKey: readonly [yaml: string, embedded: readonly string[], vllm: readonly string[]][] = [
  ['gpu: H100-80GB', ['--gpu', 'H100-80GB'], []],
  ['profile: p.json', ['--profile', 'p.json'], []],
  ['timeScale: 10', ['--time-scale', '10'], []],
  ['timeScale: inf', ['--time-scale', 'inf'], []],
  ['tokenizer: t', ['--tokenizer', 't'], []],
  ['faults: [error, hang]', ['--fault', 'error', '--fault', 'hang'], []],
  ['modelRevision: abc', ...both(['--revision', 'abc'])],
  ['enableLoRA: true', ...both(['--enable-lora'])],
  ['enableLoRA: false, enableTool: false', ...both([])],
  [
    'enableTool: true, toolCallParser: hermes',
    ...both(['--enable-auto-tool-choice', '--tool-call-parser', 'hermes']),
  ],
  ['toolCallParser: hermes', ...both(['--tool-call-parser', 'hermes'])],
  ['chatTemplate: chat.jinja', ...both(['--chat-template', 'chat.jinja'])],
  [
    'lmcacheConfig: {enabled: true}',
    [
      '--kv-transfer-config',
      '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both","kv_connector_extra_config":{"spillway.link_gbps":15,"spillway.lookup_ms":0.1,"spillway.byte_share":0.015625}}',
    ],
    ['--kv-transfer-config', '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}'],
  ],
];

function both(flags: readonly string[]): readonly [readonly string[], readonly string[]] {
  return [flags, flags];
}

/** YAML below vllmConfig, and the flags of either engine. */
const perVllmKey: readonly [yaml: string, flags: readonly string[]][] = [
  ['enablePrefixCaching: true', ['--enable-prefix-caching']],
  ['enablePrefixCaching: false', ['--no-enable-prefix-caching']],
  ['enableChunkedPrefill: false', ['--no-enable-chunked-prefill']],
  ['maxModelLen: 8192', ['--max-model-len', '8192']],
  ['dtype: bfloat16', ['--dtype', 'bfloat16']],
  ['tensorParallelSize: 2', ['--tensor-parallel-size', '2']],
  ['maxNumSeqs: 32', ['--max-num-seqs', '32']],
  ['maxNumBatchedTokens: 4096', ['--max-num-batched-tokens', '4096']],
  ['blockSize: 32', ['--block-size', '32']],
  ['numGpuBlocksOverride: 2000', ['--num-gpu-blocks-override', '2000']],
  ['schedulingPolicy: priority', ['--scheduling-policy', 'priority']],
  ['gpuMemoryUtilization: 0.5', ['--gpu-memory-utilization', '0.5']],
  ['maxLoras: 4', ['--max-loras', '4']],
  ['runner: pooling', ['--runner', 'pooling']],
  ['convert: embed', ['--convert', 'embed']],
  ['seed: 7', ['--seed', '7']],
  ['extraArgs: ["--swap-space", "0"]', ['--swap-space', '0']],
  [
    'kvEvents: true',
    [
      '--kv-events-config',
      '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:9002","replay_endpoint":"tcp://*:9003","topic":"kv-events"}',
    ],
  ],
];

test('each key of a model becomes the flags of its engine', () => {
  for (const [yaml, embedded, vllm] of perKey) {
    const spec = modelOf(yaml);
    assert.deepEqual(embeddedEngineFlags(spec, ports, store), [
      '--model',
      'org/m',
      ...listen,
      ...embedded,
    ]);
    assert.deepEqual(vllmFlags(spec, ports, ['vllm', 'serve']), ['org/m', ...listen, ...vllm]);
  }
});

test('each key of vllmConfig becomes the same flag of both engines', () => {
  for (const [yaml, flags] of perVllmKey) {
    const spec = modelOf(`vllmConfig: {${yaml}}`);
    // The chart disables prefix caching by default.
    const caching = yaml.startsWith('enablePrefix') ? [] : ['--no-enable-prefix-caching'];
    const expected = new Set([...caching, ...flags]);
    assert.deepEqual(new Set(vllmFlags(spec, ports, ['vllm', 'serve']).slice(5)), expected, yaml);
    // vLLM can publish events on all interfaces only; the embedded engine stays on loopback.
    const embedded = embeddedEngineFlags(spec, ports, store).map((arg) =>
      arg.replaceAll('tcp://127.0.0.1:', 'tcp://*:'),
    );
    assert.deepEqual(new Set(embedded.slice(6)), expected, yaml);
  }
});

test('KV events of a pod get a port of their own, and an address with an interface stays', () => {
  const given = (endpoint: string) =>
    JSON.stringify({ enable_kv_cache_events: true, publisher: 'zmq', endpoint, topic: 'kv' });
  const configOf = (endpoint: string) => {
    const spec = modelOf(
      `vllmConfig: {extraArgs: ["--kv-events-config", ${JSON.stringify(given(endpoint))}]}`,
    );
    const words = embeddedEngineFlags(spec, ports, store);
    return JSON.parse(words[words.lastIndexOf('--kv-events-config') + 1] ?? '');
  };
  const { endpoint, replay_endpoint, topic } = configOf('tcp://*:5557');
  assert.deepEqual(
    [endpoint, replay_endpoint, topic],
    ['tcp://127.0.0.1:9002', 'tcp://127.0.0.1:9003', 'kv'],
  );
  assert.equal(configOf('tcp://10.0.0.1:5557').endpoint, 'tcp://10.0.0.1:5557');
});

test('vLLM gets its flags in the order of the chart', () => {
  const spec = modelOf(
    'lmcacheConfig: {enabled: true, kvRole: kv_producer}, chatTemplate: c.jinja, enableLoRA: true, vllmConfig: {seed: 1, extraArgs: ["-tp", "2"], kvEvents: true, dtype: half, enableChunkedPrefill: true, maxNumSeqs: 4, tensorParallelSize: 1}',
  );
  const words = vllmFlags(spec, ports, ['vllm', 'serve']).slice(5);
  assert.deepEqual(
    words.filter((word) => word.startsWith('-')),
    [
      ...['--enable-lora', '--enable-chunked-prefill', '--no-enable-prefix-caching', '--dtype'],
      ...['--tensor-parallel-size', '--max-num-seqs', '--seed', '--kv-events-config', '-tp'],
      ...['--kv-transfer-config', '--chat-template'],
    ],
  );
  assert.ok(words.includes('{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_producer"}'));
});

test('a command that does not end in serve gets the model as --model', () => {
  const command = ['python', '-m', 'vllm.entrypoints.openai.api_server'];
  assert.deepEqual(vllmFlags(modelOf(''), ports, command), ['--model', 'org/m', ...listen]);
});

test('a launcher before "vllm serve" leaves the model its argument', () => {
  const words = vllmFlags(modelOf(''), ports, ['uv', 'run', 'vllm', 'serve']);
  assert.deepEqual(words, ['org/m', ...listen]);
});

test('an entry without a modelURL gives vLLM its name', () => {
  const [spec] = valuesOf('servingEngineSpec: {modelSpec: [{name: m, kind: vllm}]}')
    .servingEngineSpec.modelSpec;
  assert.equal(vllmFlags(spec as ModelEntry, ports, ['vllm', 'serve'])[0], 'm');
});

test('embedded engines of one process are counted from the second on', () => {
  const counted = (count?: number) =>
    embeddedEngineFlags(modelOf(''), ports, store, count).slice(6);
  assert.deepEqual(counted(), []);
  assert.deepEqual(counted(1), []);
  assert.deepEqual(counted(2), ['--count', '2']);
});

test('the served model is the last --served-model-name, else modelURL', () => {
  assert.equal(servedModel(modelOf('')), 'org/m');
  assert.equal(servedModel(modelOf('vllmConfig: {extraArgs: ["--served-model-name", "a"]}')), 'a');
  assert.equal(servedModel(modelOf('vllmConfig: {extraArgs: ["--served-model-name=b"]}')), 'b');
  const twice = '["--served-model-name=b", --served_model_name, c, d]';
  assert.equal(servedModel(modelOf(`vllmConfig: {extraArgs: ${twice}}`)), 'c');
});

test('secrets and variables are passed to the engine in its environment, never in its flags', () => {
  const values = valuesOf(`servingEngineSpec:
  vllmApiKey: sk-1
  configs: {A: "1", B: "1"}
  env: [{name: B, value: "2"}]
  modelSpec:
    - {name: m, kind: vllm, modelURL: org/m, hf_token: hf-1, env: [{name: C, value: "3"}, {name: D, valueFrom: {secretKeyRef: {name: s, key: d}}}]}
`);
  const spec = values.servingEngineSpec.modelSpec[0] as ModelEntry;
  assert.deepEqual(engineEnvironment(values, spec, { D: 'here' }), {
    A: '1',
    B: '2',
    C: '3',
    HF_TOKEN: 'hf-1',
    VLLM_API_KEY: 'sk-1',
  });
  assert.ok(!vllmFlags(spec, ports, ['vllm', 'serve']).some((arg) => /sk-1|hf-1/.test(arg)));
  assert.throws(() => engineEnvironment(values, spec, {}), /set D in the environment/);
});

test('replicas are numbered, URLs keep their order, and disabled entries do not run', () => {
  const values = valuesOf(`servingEngineSpec:
  modelSpec:
    - {name: a, modelURL: org/a, replicaCount: 2}
    - {name: idle, modelURL: org/idle, enabled: false}
    - {name: b, urls: ["http://10.0.0.1:8000/"], modelURL: org/b}
`);
  assert.deepEqual(
    planEngines(values).map(({ kind, name }) => `${kind} ${name}`),
    ['embedded a-1', 'embedded a-2', 'url b'],
  );
});

test('values without an engine to run are an error with a remedy', () => {
  assert.throws(() => planEngines(valuesOf('')), { code: 'ERR_INPUT', message: /--engine http/ });
});

test('peer routers in the file are passed to the router; the default is none', () => {
  const peers = '{routerPeers: [http://routers:8000, http://10.0.0.9:8000]}';
  const flags = routerFlags(valuesOf(`routerSpec: ${peers}`), []);
  const given = flags[flags.indexOf('--router-peers') + 1];
  assert.equal(given, 'http://routers:8000,http://10.0.0.9:8000');
  assert.ok(!routerFlags(valuesOf('routerSpec: {}'), []).includes('--router-peers'));
});

test('policy parameters reach the router under their flags, unless they have their defaults', () => {
  const flagsOf = (text: string) => routerFlags(valuesOf(`routerSpec: ${text}`), []);
  const flags = flagsOf('{prefixMinMatchLength: 128, kvAwareThreshold: 0}');
  assert.equal(flags[flags.indexOf('--prefix-min-match-length') + 1], '128');
  assert.equal(flags[flags.indexOf('--kv-aware-threshold') + 1], '0');
  const standard = flagsOf('{prefixMinMatchLength: 0}');
  assert.ok(!standard.some((flag) => /prefix-min|kv-aware/.test(flag)));
});

function valuesOf(text: string) {
  return resolveValues({ files: [{ name: 'test.yaml', text }] }).values;
}

function modelOf(yaml: string): ModelEntry {
  const entry = `{name: m, modelURL: org/m${yaml === '' ? '' : `, ${yaml}`}}`;
  return valuesOf(`servingEngineSpec: {modelSpec: [${entry}]}`).servingEngineSpec
    .modelSpec[0] as ModelEntry;
}

test('an embedded engine keeps the connector of its extraArgs', () => {
  const connector = '{"kv_connector":"MultiConnector","kv_role":"kv_both"}';
  const spec = modelOf(
    `lmcacheConfig: {enabled: true}, vllmConfig: {extraArgs: ["--kv-transfer-config", '${connector}']}`,
  );
  const store = { linkGbps: 15, lookupMs: 0.1, byteShare: 1 } as Parameters<
    typeof embeddedEngineFlags
  >[2];
  const words = embeddedEngineFlags(spec, ports, store);
  assert.equal(words.filter((word) => word === '--kv-transfer-config').length, 1);
  assert.ok(words.includes(connector));
});

test('an address among the arguments of an entry, that of its pods, gives way to the one of the engine', () => {
  const spec = modelOf('vllmConfig: {extraArgs: ["--port", "8000", "--host=0.0.0.0"]}');
  for (const words of [
    embeddedEngineFlags(spec, ports, store),
    vllmFlags(spec, ports, ['vllm', 'serve']),
  ]) {
    assert.deepEqual(words.slice(-4), listen);
  }
});
