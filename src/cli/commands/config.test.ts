import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CommanderError } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { presets } from '../../core/values/index.ts';
import { configCommand } from './config.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-config-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Runs `spillway config ARGS`; returns what it prints and its exit status. */
async function run(...args: string[]): Promise<{ out: string; err: string; status: number }> {
  const written = { out: '', err: '' };
  const to = (stream: 'out' | 'err') => ({
    write: (text: string) => {
      written[stream] += text;
    },
  });
  const command = configCommand(to('out'), to('err')).exitOverride();
  try {
    await command.parseAsync(args, { from: 'user' });
    return { ...written, status: 0 };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { ...written, status: error.exitCode };
  }
}

test('show prints what was written, merged, with its comments', async () => {
  const base = file('base.yaml', '# ours\nrouterSpec:\n  tag: v1 # pinned\n  replicaCount: 1\n');
  const more = file('more.yaml', 'routerSpec:\n  replicaCount: 2\n');
  const { out } = await run('show', '-f', base, '-f', more, '--set', 'routerSpec.rootPath=/a');
  assert.equal(out, '# ours\nrouterSpec:\n  tag: v1 # pinned\n  replicaCount: 2\n  rootPath: /a\n');
});

test('show without flags prints the default of "spillway up"', async () => {
  const { out } = await run('show', '--json');
  const { servingEngineSpec } = JSON.parse(out);
  assert.equal(servingEngineSpec.modelSpec[0].replicaCount, 4);
});

test('show --defaults prints every key', async () => {
  const path = file('one.yaml', 'routerSpec: {tag: v1}\n');
  const { out } = await run('show', '-f', path, '--defaults', '--json');
  const values = JSON.parse(out);
  assert.equal(values.routerSpec.tag, 'v1');
  assert.equal(values.cacheserverSpec.servicePort, 80);
});

test('validate says that values are valid', async () => {
  const path = file('good.yaml', 'routerSpec: {sessionKey: x-user}\n');
  assert.deepEqual(await run('validate', '-f', path), { out: 'valid\n', err: '', status: 0 });
  const { out } = await run('validate', '--preset', 'laptop', '--json');
  assert.deepEqual(JSON.parse(out), { valid: true, problems: [], warnings: [] });
});

test('validate prints one line per problem and exits with 2', async () => {
  const path = file('bad.yaml', 'routerSpec:\n  tag: 1\n  replicas: 2\n');
  assert.deepEqual(await run('validate', '-f', path), {
    out: '',
    err:
      `${path}:2:8: routerSpec.tag must be a text, not 1; put it in quotes.\n` +
      `${path}:3:3: routerSpec.replicas is not a known key; did you mean replicaCount?\n`,
    status: 2,
  });
  const { out, status } = await run('validate', '-f', path, '--json');
  assert.equal(status, 2);
  assert.deepEqual(JSON.parse(out).problems[1], {
    source: path,
    line: 3,
    column: 3,
    sentence: 'routerSpec.replicas is not a known key; did you mean replicaCount?',
  });
});

test('validate names each key that "spillway up" does not use, with the reason', async () => {
  const path = file(
    'cluster.yaml',
    `servingEngineSpec:
  modelSpec:
    - name: a
      modelURL: Qwen/Qwen3-8B
      requestCPU: 4
      lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: "20"}
      keda: {enabled: true}
      pdb: {enabled: false}
      vllmConfig: {runner: generate, extraArgs: [--enforce-eager, --magic]}
    - {name: b, modelURL: org/b, kind: vllm, requestCPU: 4, lmcacheConfig: {enabled: true}}
    - {name: c, modelURL: org/c, urls: ["http://10.0.0.1:8000"], vllmConfig: {seed: 1}}
cacheserverSpec: {enabled: true, serde: naive}
grafanaDashboards: {enabled: true}
loraController: {enableLoraController: false}
`,
  );
  const { out, err, status } = await run('validate', '-f', path, '--for', 'up');
  assert.deepEqual([out, status], ['valid\n', 0]);
  const spec = 'servingEngineSpec.modelSpec';
  const vain = 'has no effect under "spillway up"';
  assert.deepEqual(err.replaceAll(`${path}:`, '').trimEnd().split('\n'), [
    `5:7: ${spec}[0].requestCPU ${vain}: it is for Kubernetes. The same holds for 1 more entry.`,
    `7:7: ${spec}[0].keda ${vain}: no KEDA, Grafana or Prometheus Operator is started.`,
    `9:38: ${spec}[0].vllmConfig.extraArgs: --enforce-eager has no effect here: step times come from the profile, with or without CUDA graphs.`,
    `9:38: ${spec}[0].vllmConfig.extraArgs: --magic is not a known flag of vLLM 0.32; check its spelling.`,
    `11:66: ${spec}[2].vllmConfig ${vain}: the engine at this URL is already running.`,
    `12:34: cacheserverSpec.serde ${vain}: embedded engines send the bytes of a chunk as they are.`,
    `13:1: grafanaDashboards ${vain}: no KEDA, Grafana or Prometheus Operator is started.`,
  ]);
  const json = JSON.parse((await run('validate', '-f', path, '--json', '--for', 'up')).out);
  assert.equal(json.warnings.length, 8);
  assert.deepEqual(json.warnings[0], {
    ...{ source: path, line: 5, column: 7 },
    sentence: `${spec}[0].requestCPU ${vain}: it is for Kubernetes`,
  });
});

test('validate without --for names what concerns both, and counts what matters in one place only', async () => {
  const path = file(
    'both.yaml',
    `servingEngineSpec:
  modelSpec:
    - name: a
      modelURL: Qwen/Qwen3-8B
      repository: vllm/vllm-openai
      tag: v0.32.0
      requestCPU: 4
      keda: {enabled: true}
      vllmConfig: {extraArgs: [--enforce-eager, --max-model-length, "8192"]}
    - {name: b, modelURL: org/b, kind: vllm, requestCPU: 4}
cacheserverSpec: {enabled: true, replicaCount: 2, capacityGB: 1}
spillway: {enginePort: 8100}
`,
  );
  const { out, err, status } = await run('validate', '-f', path);
  assert.deepEqual([out, status], ['valid\n', 0], err);
  const words = 'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs';
  assert.deepEqual(err.replaceAll(`${path}:`, '').trimEnd().split('\n'), [
    `9:20: ${words}: --max-model-length is not a known flag of vLLM 0.32; did you mean --max-model-len?`,
    `9:20: ${words}: --enforce-eager has no effect here: step times come from the profile, with or without CUDA graphs.`,
    '1 entry of modelSpec without kind: emulated under "spillway up", vLLM on Kubernetes; kind: embedded or kind: vllm makes both alike.',
    '4 keys are for Kubernetes (repository, tag, requestCPU), without effect under "spillway up".',
    '1 key has no effect under "spillway up" (keda); "--for up" gives the reasons.',
    '2 keys have no effect on Kubernetes (capacityGB, enginePort); "--for kubernetes" gives the reasons.',
    '4 keys are missing for Kubernetes (requestMemory, repository, tag), where the chart needs each for vLLM; "--for kubernetes" says what each is.',
  ]);
  const json = JSON.parse((await run('validate', '-f', path, '--json')).out);
  assert.ok(json.warnings.length > 8, `${json.warnings.length} warnings`);
});

test('a name that Kubernetes would refuse is an error unless the values are for "spillway up" alone', async () => {
  const path = file(
    'names.yaml',
    'servingEngineSpec: {modelSpec: [{name: qwen2.5, modelURL: Qwen/Qwen3-8B}]}\n',
  );
  const { err, status } = await run('validate', '-f', path);
  assert.equal(status, 2);
  assert.match(
    err,
    /:1:40: servingEngineSpec\.modelSpec\[0\]\.name "qwen2\.5" cannot .* use "qwen2-5"/,
  );
  assert.match(err, /; "--for up" allows it for "spillway up" alone\.\n$/);
  assert.equal((await run('validate', '-f', path, '--for', 'kubernetes')).status, 2);
  assert.equal((await run('validate', '-f', path, '--for', 'up')).status, 0);
});

test('validate --release checks names with the release that will be installed', async () => {
  const text = (name: string) =>
    `servingEngineSpec: {modelSpec: [{name: ${name}, kind: embedded, modelURL: Qwen/Qwen3-8B}]}\n`;
  const path = file('release.yaml', text('qwen3-8b'));
  const long = 'r'.repeat(50);
  for (const target of [[], ['--for', 'kubernetes']]) {
    assert.equal((await run('validate', '-f', path, ...target)).status, 0);
    const fitting = await run('validate', '-f', path, ...target, '--release', 'r'.repeat(39));
    assert.equal(fitting.status, 0, fitting.err);
    const { err, status } = await run(
      ...(['validate', '-f', path, ...target, '--release', 'r'.repeat(42)] as const),
    );
    assert.equal(status, 2);
    assert.match(err, /release\.yaml:1:40: .*"qwen3-8b".* release "r{42}" at most 5 characters/);
    await assert.rejects(
      run('validate', '-f', path, ...target, '--release', long),
      /Release "r{50}" is too long: .* at most 46/,
    );
  }
});

test('arguments of the router are checked by its own command line', async () => {
  const path = file('router.yaml', 'routerSpec: {extraArgs: [--request-timout, 60]}\n');
  for (const target of [[], ['--for', 'up'], ['--for', 'kubernetes']]) {
    assert.deepEqual(await run('validate', '-f', path, ...target), {
      out: '',
      err: `${path}:1:25: routerSpec.extraArgs: --request-timout is not a flag of the router; did you mean --request-timeout?\n`,
      status: 2,
    });
  }
  const own = file('own.yaml', 'routerSpec: {repository: me/router, extraArgs: [--mine]}\n');
  assert.equal((await run('validate', '-f', own, '--for', 'kubernetes')).status, 0);
});

test('arguments of the router without effect are notes, at their words, and no more than that', async () => {
  const path = file(
    'vain.yaml',
    `routerSpec:
  extraArgs:
    - --log-stats
    - --static-model-types
    - chat
    - --k8s-label-selector
    - app=vllm
`,
  );
  const types = `${path}:4:7: routerSpec.extraArgs: --static-model-types has no effect: `;
  const selector = `${path}:6:7: routerSpec.extraArgs: --k8s-label-selector has no effect under "spillway up"`;
  for (const [target, shown] of [
    [[], [types, selector]],
    [
      ['--for', 'up'],
      [types, selector],
    ],
    [['--for', 'kubernetes'], [types]],
  ] as const) {
    const { out, err, status } = await run('validate', '-f', path, ...target);
    assert.deepEqual([out, status], ['valid\n', 0], err);
    const lines = err.split('\n').filter((line) => line.includes('routerSpec.extraArgs'));
    assert.deepEqual(
      lines.map((line, i) => line.slice(0, shown[i]?.length)),
      shown,
    );
  }
  const json = await run('validate', '-f', path, '--json', '--for', 'up');
  const { warnings } = JSON.parse(json.out) as { warnings: readonly { line: number }[] };
  assert.deepEqual(
    warnings.map(({ line }) => line),
    [4, 6],
  );
});

test('a port that only the arguments of the router name is refused: nothing would ask there', async () => {
  const valid = file('port.yaml', 'routerSpec: {extraArgs: ["--port=8000"]}\n');
  assert.equal((await run('validate', '-f', valid)).status, 0);
  const path = file('other-port.yaml', 'routerSpec: {extraArgs: [--port, 9000]}\n');
  for (const target of [[], ['--for', 'up'], ['--for', 'kubernetes']]) {
    const { err, status } = await run('validate', '-f', path, ...target);
    assert.equal(status, 2);
    assert.match(
      err,
      /other-port\.yaml:1:25: .*--port 9000 is not routerSpec\.containerPort \(8000\)/,
    );
  }
});

test('what keeps the router of "up" from starting is a fault there, and a note for both', async () => {
  const text = `servingEngineSpec: {modelSpec: [{name: a, modelURL: Qwen/Qwen3-8B}]}
routerSpec: {extraArgs: [--static-aliases, "a:b,b:c"]}
`;
  const path = file('aliases.yaml', text);
  const alone = await run('validate', '-f', path, '--for', 'up');
  assert.equal(alone.status, 2);
  assert.match(alone.err, /aliases\.yaml:2:25: routerSpec\.extraArgs: .*"b" is an alias itself/);
  const both = await run('validate', '-f', path);
  assert.equal(both.status, 0);
  assert.match(both.err, /the router does not start under "spillway up": .*"b" is an alias/);
});

test('arguments that an embedded engine in a pod would refuse are refused before', async () => {
  const text = (words: string) =>
    `servingEngineSpec: {modelSpec: [{name: a, kind: embedded, modelURL: Qwen/Qwen3-8B, vllmConfig: {extraArgs: [${words}]}}]}\n`;
  const path = file(
    'embedded.yaml',
    text('--max-model-length=8192, --watchdog-config, "{}", stray'),
  );
  assert.equal((await run('validate', '-f', path, '--for', 'up')).status, 0);
  for (const target of [[], ['--for', 'kubernetes']]) {
    const { err, status } = await run('validate', '-f', path, ...target);
    assert.equal(status, 2, err);
    assert.match(
      err,
      /--max-model-length is not a known flag of vLLM 0\.32; write --max-model-len if you mean that, so the/,
    );
    assert.match(err, /"stray" belongs to no flag; remove it, so the embedded engine would not/);
  }
  const known = file(
    'known.yaml',
    text(
      '--monokernel, --sleep-mode-backend, cumem, --reasoning-effort-map, "{}", --log-level, DEBUG',
    ),
  );
  const { err, status } = await run('validate', '-f', known);
  assert.equal(status, 0, err);
  assert.doesNotMatch(err, /not a known flag/);
});

test('models lists those of the catalogue, or those with a text', async () => {
  const all = (await run('models')).out.trimEnd().split('\n');
  assert.ok(all.length > 100 && all.includes('Qwen/Qwen3-8B'), `${all.length}`);
  const { out } = await run('models', 'BGE-m');
  assert.equal(out, 'BAAI/bge-m3\n');
  assert.deepEqual(JSON.parse((await run('models', 'bge-m3', '--json')).out), ['BAAI/bge-m3']);
  await assert.rejects(run('models', 'zzz'), /no model of the catalogue has "zzz" in its name/);
});

test('--subchart reads the part of a chart below, and show prints it as a file', async () => {
  const path = file('umbrella.yaml', 'vllm: {routerSpec: {replicaCount: 2}}\n');
  assert.equal((await run('validate', '-f', path)).status, 2);
  assert.equal((await run('validate', '-f', path, '--subchart', 'vllm')).status, 0);
  const { out } = await run('show', '-f', path, '--subchart', 'vllm');
  assert.equal(out, 'routerSpec:\n  replicaCount: 2\n');
});

test('validate --for kubernetes names the keys that the chart does not use', async () => {
  const path = file(
    'for-cluster.yaml',
    `servingEngineSpec:
  modelSpec:
    - name: a
      modelURL: org/a
      repository: vllm/vllm-openai
      tag: v0.32.0
      requestCPU: 4
      requestMemory: 16Gi
      keda: {enabled: true}
      vllmConfig: {runner: generate, extraArgs: [--enforce-eager, --magic]}
    - name: b
      modelURL: Qwen/Qwen3-8B
      kind: embedded
      vllmConfig: {runner: generate}
grafanaDashboards: {enabled: true}
routerSpec: {host: 127.0.0.1}
kube-prometheus-stack: {enabled: true}
spillway: {enginePort: 8100}
cacheserverSpec: {capacityGB: 1}
`,
  );
  const { out, err, status } = await run('validate', '-f', path, '--for', 'kubernetes');
  assert.deepEqual([out, status], ['valid\n', 0], err);
  const spec = 'servingEngineSpec.modelSpec';
  const vain = 'has no effect on Kubernetes';
  assert.deepEqual(err.replaceAll(`${path}:`, '').trimEnd().split('\n'), [
    `10:38: ${spec}[0].vllmConfig.extraArgs: --magic is not a known flag of vLLM 0.32; check its spelling.`,
    `16:14: routerSpec.host ${vain}: a pod listens on all its addresses.`,
    `18:12: spillway.enginePort ${vain}: it is for spillway up; servingEngineSpec.containerPort is the port of engines.`,
    `19:19: cacheserverSpec.capacityGB ${vain}: it is for simulations.`,
  ]);
});

test('validate --for kubernetes names the keys that the chart needs', async () => {
  const path = file(
    'incomplete.yaml',
    `servingEngineSpec:
  modelSpec:
    - {name: a, modelURL: org/a, requestCPU: 4}
    - {name: b, modelURL: org/b, repository: r, digest: 'sha256:${'0'.repeat(64)}', resources: {limits: {cpu: 4}}}
    - {name: c, modelURL: Qwen/Qwen3-8B, kind: embedded}
    - {name: d, kind: url, urls: ['http://d'], modelURL: org/d}
    - {name: e, modelURL: org/e, enabled: false}
`,
  );
  const { err, status } = await run('validate', '-f', path, '--for', 'kubernetes');
  assert.equal(status, 2, err);
  assert.deepEqual(
    [...err.matchAll(/^.*:(\d+):\d+: (\S+) is missing, which the chart needs for vLLM: /gm)].map(
      ([, line, key]) => `${line} ${key}`,
    ),
    ['repository', 'tag', 'requestMemory'].map((key) => `3 servingEngineSpec.modelSpec[0].${key}`),
  );
  const here = ['--set', 'spillway.standIn=8B'];
  assert.equal((await run('validate', '-f', path, ...here)).status, 0);
});

test('presets for a cluster can be deployed there as they are', async () => {
  for (const { name } of presets.filter((preset) => preset.name !== 'bare-metal')) {
    const { err, status } = await run('validate', '--preset', name, '--for', 'kubernetes');
    assert.equal(status, 0, `${name}: ${err}`);
  }
});

test('validate refuses what vLLM would refuse', async () => {
  const refused: readonly (readonly [yaml: string, expected: RegExp])[] = [
    ['vllmConfig: {dtype: foo}', /vllmConfig\.dtype is "foo"; it must be one of auto, half,/],
    [
      'vllmConfig: {extraArgs: [--max-model-len, 8KB]}',
      /--max-model-len is "8KB"; it must be an int/,
    ],
    ['vllmConfig: {tensorParallelSize: 3}', /\(3\) must divide the 32 attention heads of Qwen/],
    ['vllmConfig: {extraArgs: [-tp, "5"]}', /extraArgs: --tensor-parallel-size \(5\) must divide/],
    ['vllmConfig: {maxNumSeqs: 64, extraArgs: [--max-num-batched-tokens=32]}', /must not be below/],
    ['vllmConfig: {extraArgs: [--max-num-seqs]}', /--max-num-seqs needs a value/],
    ['kind: vllm, vllmConfig: {extraArgs: [--kv-cache-dtype, fp3]}', /--kv-cache-dtype is "fp3"/],
  ];
  for (const [yaml, expected] of refused) {
    const text = `servingEngineSpec: {modelSpec: [{name: m, modelURL: Qwen/Qwen3-8B, ${yaml}}]}\n`;
    const { err, out, status } = await run('validate', '-f', file('refused.yaml', text));
    assert.deepEqual([status, out], [2, ''], yaml);
    assert.match(err, expected);
    assert.match(err, /^\S+refused\.yaml:1:\d+: .*\.\n$/);
  }
});

test('a context above the model’s is refused under "spillway up", and a note where an image reads the model', async () => {
  const contexts: readonly (readonly [yaml: string, expected: RegExp])[] = [
    ['{maxModelLen: 50000}', /maxModelLen \(50000\) must not be above the 40960 tokens/],
    ['{maxModelLen: "1048576"}', /maxModelLen \(1048576\) must not be above the 40960/],
    ['{extraArgs: [--max-model-len, 1M]}', /extraArgs: --max-model-len \(1048576\) must/],
  ];
  const values = (yaml: string, kind: string) =>
    file(
      'context.yaml',
      `servingEngineSpec: {modelSpec: [{name: m, modelURL: Qwen/Qwen3-8B${kind}, vllmConfig: ${yaml}}]}\n`,
    );
  for (const [yaml, expected] of contexts) {
    const refused = await run('validate', '--for', 'up', '-f', values(yaml, ''));
    assert.deepEqual([refused.status, refused.out], [2, ''], yaml);
    assert.match(refused.err, expected);
    const embedded = await run('validate', '-f', values(yaml, ', kind: embedded'));
    assert.equal(embedded.status, 2, yaml);
    const noted = await run('validate', '-f', values(yaml, ''));
    assert.deepEqual([noted.status, noted.out], [0, 'valid\n'], yaml);
    assert.match(noted.err, expected);
    assert.match(noted.err, /"spillway up" does not start with it, nor does vLLM unless/);
  }
});

test('allows a context beyond the model under the conditions of vLLM', async () => {
  const allowed = [
    'env: [{name: VLLM_ALLOW_LONG_MAX_MODEL_LEN, value: "1"}], vllmConfig: {maxModelLen: 50000}',
    `vllmConfig: {maxModelLen: 50000, extraArgs: [--hf-overrides, '{"rope_theta": 1e6}']}`,
    'vllmConfig: {extraArgs: [--max-model-len, auto]}',
    'modelURL: my/own-model, standIn: meta-llama/Llama-4-Scout-17B-16E, vllmConfig: {maxModelLen: 5000000}',
  ];
  for (const yaml of allowed) {
    const model = yaml.startsWith('modelURL') ? '' : 'modelURL: Qwen/Qwen3-8B, ';
    const text = `servingEngineSpec: {modelSpec: [{name: m, ${model}${yaml}}]}\n`;
    assert.equal((await run('validate', '-f', file('allowed.yaml', text))).status, 0, yaml);
  }
});

test('reports a key without effect, which is not an error', async () => {
  const path = file('vain.yaml', 'servingEngineSpec:\n  nodeSelector: {gpu: a}\n');
  assert.deepEqual(await run('validate', '-f', path), {
    out: 'valid\n',
    err: `${path}:2:3: servingEngineSpec.nodeSelector: No effect, as in the upstream chart. Use nodeSelector of each model.\n`,
    status: 0,
  });
});

test('a model on a volume of a pod is refused for this machine, at its line, with the way out', async () => {
  const path = file(
    'volume.yaml',
    `servingEngineSpec:
  modelSpec:
    - name: tiny
      repository: vllm/vllm-openai
      tag: v0.8.5
      modelURL: /data/models/tinyllama
      requestCPU: 1
      requestMemory: 2Gi
      requestGPU: 1
`,
  );
  const { err, status } = await run('validate', '-f', path);
  assert.equal(status, 2);
  assert.match(
    err,
    /:6:17: servingEngineSpec\.modelSpec\[0\]\.modelURL: There is no \/data\/models\/tinyllama\/config\.json on this machine; the nearest models are TinyLlama\/TinyLlama-1\.1B-Chat-v1\.0, \S+ and \S+: .* standIn beside modelURL, .*"spillway up --stand-in TinyLlama\/TinyLlama-1\.1B-Chat-v1\.0"\.\n/,
  );
  assert.equal((await run('validate', '-f', path, '--for', 'kubernetes')).status, 0);
  assert.equal((await run('show', '-f', path)).status, 0);
  for (const way of ['servingEngineSpec.modelSpec[0].standIn=1.1B', 'spillway.standIn=8B']) {
    assert.equal((await run('validate', '-f', path, '--set', way)).status, 0);
  }
});

test('reports a GPU or model that the catalogue lacks before anything runs', async () => {
  const path = file(
    'gpu.yaml',
    'servingEngineSpec:\n  modelSpec:\n    - {name: m, modelURL: Qwen/Qwen3-8B, gpu: H1000-80GB}\n',
  );
  const { err, status } = await run('validate', '-f', path);
  assert.equal(status, 2);
  assert.match(err, /:3:47: servingEngineSpec\.modelSpec\[0\]\.gpu: .*did you mean H100-80GB\?/);
});

test('validate with nothing to check says so', async () => {
  await assert.rejects(run('validate'), InputError);
});

test('reports a file that cannot be read in one sentence', async () => {
  const table: [string, RegExp][] = [
    [join(directory, 'none.yaml'), /none\.yaml: no such file or folder; check the path\.$/],
    [directory, /: it is a folder, not a file\.$/],
  ];
  for (const [path, expected] of table) {
    await assert.rejects(run('show', '-f', path), expected);
  }
  const latin = join(directory, 'latin.yaml');
  writeFileSync(latin, Uint8Array.of(0x61, 0x3a, 0x20, 0xe9));
  await assert.rejects(
    run('show', '-f', latin),
    /latin\.yaml: not UTF-8 text; save it as UTF-8\.$/,
  );
  const large = file('large.yaml', `# ${'x'.repeat(1024 * 1024)}\n`);
  await assert.rejects(run('show', '-f', large), /larger than 1048576 bytes/);
});

test('a model that does not fit, and a folder that is not here, are found at their lines', async () => {
  const validated = async (keys: string, target: readonly string[]) =>
    run(
      ...['validate', ...target],
      ...['-f', file('entry.yaml', `servingEngineSpec:\n  modelSpec:\n    - {name: m, ${keys}}\n`)],
    );
  const forUp = ['--for', 'up'];
  const large = 'modelURL: meta-llama/Llama-3.1-70B';
  const refused = await validated(large, forUp);
  assert.equal(refused.status, 2);
  assert.match(
    refused.err,
    /entry\.yaml:3:27: .*modelURL: meta-llama\/Llama-3\.1-70B leaves no space for KV cache on 1 × H100-80GB/,
  );
  const noted = await validated(large, []);
  assert.deepEqual([noted.out, noted.status], ['valid\n', 0]);
  assert.match(noted.err, /leaves no space .*; "spillway up" does not start with it\.$/m);
  const other = await validated('vllmConfig: {extraArgs: [--model, foo/bar]}', forUp);
  assert.match(other.err, /extraArgs: Model "foo\/bar" is not in the catalogue/);
  const words = 'modelURL: Qwen/Qwen3-8B, vllmConfig: {extraArgs: [--tokenizer, /no/where]}';
  const elsewhere = await validated(words, forUp);
  assert.match(elsewhere.err, /There is no --tokenizer \/no\/where on this machine/);
});

test('what the router of a stack would refuse in its arguments is found before it starts', async () => {
  for (const [words, fault] of [
    ['--routing-logic, bogus', /There is no routing policy "bogus"/],
    ['--dynamic-config-json, /no/where.json', /there is no such file on this machine/],
    ['"--static-backends=http://127.0.0.1:1"', /--static-backends would replace the engines/],
  ] as const) {
    const path = file('router.yaml', `routerSpec: {extraArgs: [${words}]}\n`);
    const entry = file(
      'one.yaml',
      'servingEngineSpec: {modelSpec: [{name: m, modelURL: Qwen/Qwen3-8B}]}\n',
    );
    const refused = await run('validate', '--for', 'up', '-f', entry, '-f', path);
    assert.equal(refused.status, 2, words);
    assert.match(refused.err, fault);
    const noted = await run('validate', '-f', entry, '-f', path);
    assert.equal(noted.status, 0, words);
    assert.match(noted.err, /the router does not start under "spillway up": /);
  }
});

test('prints the schema and the presets', async () => {
  const schema = JSON.parse((await run('schema')).out);
  assert.equal(schema.additionalProperties, false);
  const { out } = await run('presets');
  assert.match(out, /^laptop +Four embedded engines/m);
  const rows = JSON.parse((await run('presets', '--json')).out);
  assert.equal(rows[0].name, 'laptop');
});

test('presets says what each preset needs to run under up', async () => {
  const { out } = await run('presets');
  assert.match(out, /^laptop .* Needs nothing but Node\.$/m);
  assert.match(out, /^gpu .* Needs vLLM and 2 GPUs\.$/m);
  assert.match(out, /^cpu .* Needs vLLM for CPUs, 8 CPUs and 32 GiB of memory\.$/m);
  const rows: { readonly name: string; readonly needs: string }[] = JSON.parse(
    (await run('presets', '--json')).out,
  );
  for (const { name, needs } of rows) {
    const { modelSpec } = JSON.parse(
      (await run('show', '--preset', name, '--json')).out,
    ).servingEngineSpec;
    const gpus = modelSpec
      .filter(({ kind }: { kind?: string }) => kind === 'vllm')
      .reduce((sum: number, entry: Record<string, number>) => {
        return sum + (entry['requestGPU'] ?? 1) * (entry['replicaCount'] ?? 1);
      }, 0);
    const isReal = modelSpec.some(({ kind }: { kind?: string }) => kind === 'vllm');
    assert.equal(/vLLM/.test(needs), isReal, name);
    assert.equal(/(\d+) GPU/.exec(needs)?.[1], gpus === 0 ? undefined : `${gpus}`, name);
  }
});

test('presets NAME prints the values file of that preset', async () => {
  const { out } = await run('presets', 'laptop');
  assert.match(out, /^# Four embedded engines of one model/);
  assert.match(out, /\n {6}gpu: H100-80GB # the GPU that each engine emulates\n/);
  const path = file('laptop.yaml', out);
  assert.equal((await run('validate', '-f', path)).out, 'valid\n');
  const { name, yaml } = JSON.parse((await run('presets', 'laptop', '--json')).out);
  assert.deepEqual([name, yaml], ['laptop', out]);
  await assert.rejects(
    run('presets', 'labtop'),
    /^InputError: "labtop" is not a preset; did you mean laptop\? Known: laptop, quick-test, /,
  );
});
