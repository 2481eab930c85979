import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValuesError } from './problem.ts';
import { resolveValues } from './resolve.ts';

const resolve = (text: string, sets: readonly string[] = []) =>
  resolveValues({ files: [{ name: 'my.yaml', text }], sets });
const entry = (keys: string) =>
  resolve(`servingEngineSpec: {modelSpec: [{name: m, ${keys}}]}`).values.servingEngineSpec
    .modelSpec[0];

function refusal(text: string): string {
  try {
    resolve(text);
  } catch (error) {
    if (error instanceof ValuesError) return error.message;
    throw error;
  }
  return assert.fail(`accepted: ${text}`);
}

test('numbers may be in quotes', () => {
  const { values } = resolve(
    'servingEngineSpec: {containerPort: "8000"}\nrouterSpec: {replicaCount: "2", nodePort: "30080", hedging: {budget: ".5"}, pdb: {minAvailable: "50%"}}',
  );
  assert.equal(values.servingEngineSpec.containerPort, 8000);
  assert.equal(values.routerSpec.replicaCount, 2);
  assert.equal(values.routerSpec.nodePort, 30080);
  assert.equal(values.routerSpec.hedging.budget, 0.5);
  assert.equal(values.routerSpec.pdb.minAvailable, '50%');
  const model = entry(
    'replicaCount: "3", timeScale: "1e1", requestGPU: "1", tag: "1", vllmConfig: {maxModelLen: "1048576", gpuMemoryUtilization: "0.9", v1: "1"}',
  );
  assert.equal(model?.replicaCount, 3);
  assert.equal(model?.timeScale, 10);
  assert.equal(model?.requestGPU, '1');
  assert.equal(model?.tag, '1');
  assert.equal(model?.vllmConfig?.maxModelLen, 1_048_576);
  assert.equal(model?.vllmConfig?.v1, '1');
});

test('a text that is no plain number is refused where a number belongs', () => {
  const wrong = ['"0644"', '"8000 "', '"-1"', '"8e3"', '"80.5"', '"0x10"', '""', 'eighty'];
  for (const given of wrong) {
    assert.match(
      refusal(`servingEngineSpec: {containerPort: ${given}}`),
      /^my\.yaml:1:36: servingEngineSpec\.containerPort must be a whole number from 1 to 65535, not the text ".*"\.$/,
      given,
    );
  }
  assert.match(
    refusal('servingEngineSpec: {containerPort: "70000"}'),
    /from 1 to 65535, not 70000/,
  );
});

test('booleans may be in quotes', () => {
  const { values } = resolve(
    'servingEngineSpec: {enableEngine: "True"}\nrouterSpec: {enableRouter: "false", tls: {}, autoscaling: {enabled: "TRUE"}}\ncacheserverSpec: {enabled: "False"}',
  );
  assert.equal(values.servingEngineSpec.enableEngine, true);
  assert.equal(values.routerSpec.enableRouter, false);
  assert.equal(values.routerSpec.autoscaling.enabled, true);
  assert.equal(values.cacheserverSpec.enabled, false);
  const model = entry(
    'enabled: "false", enableLoRA: "true", tag: "true", vllmConfig: {enableChunkedPrefill: "true", extraArgs: ["true"]}, lmcacheConfig: {enabled: "true"}',
  );
  assert.deepEqual(
    [model?.enabled, model?.enableLoRA, model?.tag, model?.vllmConfig?.extraArgs],
    [false, true, 'true', ['true']],
  );
  assert.equal(model?.vllmConfig?.enableChunkedPrefill, true);
  assert.equal(model?.lmcacheConfig?.enabled, true);
});

test('a text that is no plain boolean is refused where a boolean belongs', () => {
  for (const given of ['"yes"', '"on"', '"1"', '"true "', '"tRUE"', '""', 'enabled', '1']) {
    assert.match(
      refusal(`servingEngineSpec: {enableEngine: ${given}}`),
      /^my\.yaml:1:35: servingEngineSpec\.enableEngine must be true or false, not /,
      given,
    );
  }
});

test('numbers and booleans among texts are their texts', () => {
  const model = entry(
    'annotations: {a: 1, b: true}, faults: [1], env: [{name: A, value: true}, {name: B, value: 1}, {name: C, value: }, {name: D, valueFrom: {x: 1}}], vllmConfig: {extraArgs: ["--swap-space", 0, --flag, true, 1048576, 0.5, ]}',
  );
  assert.deepEqual(model?.vllmConfig?.extraArgs, [
    ...['--swap-space', '0', '--flag', 'true', '1048576', '0.5'],
  ]);
  assert.deepEqual(model?.annotations, { a: '1', b: 'true' });
  assert.deepEqual(model?.faults, ['1']);
  assert.deepEqual(model?.env, [
    { name: 'A', value: 'true' },
    { name: 'B', value: '1' },
    { name: 'C', value: '' },
    { name: 'D', valueFrom: { x: 1 } },
  ]);
  const { values } = resolve(
    'routerSpec: {extraArgs: [--log-stats-interval, 10], env: [{name: A, value: 1}]}',
  );
  assert.deepEqual(values.routerSpec.extraArgs, ['--log-stats-interval', '10']);
  assert.deepEqual(values.routerSpec.env, [{ name: 'A', value: '1' }]);
});

test('a text of its own stays a text: a tag 1.10 would lose its zero', () => {
  assert.match(
    refusal('routerSpec: {tag: 1.10}'),
    /tag must be a text, not 1\.1; put it in quotes/,
  );
  assert.match(
    refusal('servingEngineSpec: {modelSpec: [{name: m, vllmConfig: {extraArgs: [{a: 1}]}}]}'),
    /extraArgs\[0\] must be a text, not a map/,
  );
});

test('an empty key counts as no key', () => {
  const { values } = resolve(
    'servingEngineSpec:\n  modelSpec:\n    - name: m\n      requestGPU:\n      vllmConfig:\n      env:\n      tolerations:\n  env:\n  containerPort:\nrouterSpec:\n  extraArgs:\n  resources:\ncacheserverSpec:\n',
  );
  assert.deepEqual(values.servingEngineSpec.modelSpec, [
    { name: 'm', enabled: true, replicaCount: 1 },
  ]);
  assert.equal(values.servingEngineSpec.containerPort, 8000);
  assert.deepEqual(values.routerSpec.extraArgs, []);
});

test('keys x-… at the top hold anchors', () => {
  const text =
    'x-common: &c {kind: embedded, replicaCount: 2}\nservingEngineSpec:\n  modelSpec:\n    - {<<: *c, name: a}\n    - {<<: *c, name: b, replicaCount: 1}\n';
  const { values, written } = resolve(text);
  assert.deepEqual(
    values.servingEngineSpec.modelSpec.map(({ name, replicaCount }) => [name, replicaCount]),
    [
      ['a', 2],
      ['b', 1],
    ],
  );
  assert.equal('x-common' in values, false);
  assert.ok(written.entries.has('x-common'));
});

test('of a key that is set twice the last one counts, with a warning, as in Helm', () => {
  const { values, warnings } = resolve(
    'cacheserverSpec:\n  serde: a\n  serde: b\nrouterSpec: {replicaCount: 2, tag: one}\nrouterSpec: {tag: two}\n',
  );
  assert.equal(values.cacheserverSpec.serde, 'b');
  assert.deepEqual([values.routerSpec.replicaCount, values.routerSpec.tag], [1, 'two']);
  assert.deepEqual(
    warnings.map(({ place, sentence }) => [place.line, sentence]),
    [
      [
        3,
        'cacheserverSpec.serde is set on line 2 and again on line 3; the last one counts, as in Helm, and nothing of the first one',
      ],
      [
        5,
        'routerSpec is set on line 4 and again on line 5; the last one counts, as in Helm, and nothing of the first one',
      ],
    ],
  );
});

test('a chart above may pass enabled and global', () => {
  resolve('enabled: true\nglobal: {imageRegistry: r}\n');
});

test('points from keys that upstream ignores to those that work', () => {
  const { warnings } = resolve(
    'servingEngineSpec: {repository: r, modelSpec: [{name: m, imagePullPolicy: IfNotPresent, lmcacheConfig: {hf_token: t}}]}\nsharedStorage: {enabled: true}',
  );
  assert.deepEqual(
    warnings.map(({ sentence }) => sentence),
    [
      'servingEngineSpec.repository: No effect, as in the upstream chart. Use repository of each model',
      'servingEngineSpec.modelSpec[0].imagePullPolicy: No effect, as in the upstream chart. Use servingEngineSpec.imagePullPolicy',
      'servingEngineSpec.modelSpec[0].lmcacheConfig.hf_token: No effect, as in the upstream chart. Use hf_token of the entry',
      'sharedStorage: No effect: it was a key of the upstream chart up to 0.1.5. Use sharedPvcStorage, which has the same keys',
    ],
  );
});

test('what people write instead is answered with what to write', () => {
  const inEntry = (keys: string) =>
    refusal(`servingEngineSpec: {modelSpec: [{name: m, modelURL: org/m, ${keys}}]}`);
  assert.match(
    inEntry('env: {VLLM_USE_V1: 1, HF_HOME: /data}'),
    /env must be a list of maps, not a map; write each variable as an item: - \{name: VLLM_USE_V1, value: "…"\}\.$/,
  );
  assert.match(inEntry('env: {name: A, value: b}'), /begin each item with "- "\.$/);
  assert.match(inEntry('requestMemory: 16GB'), /not the text "16GB"; write 16G\.$/);
  assert.match(inEntry('requestMemory: 16 GiB'), /not the text "16 GiB"; write 16Gi\.$/);
  for (const size of ['60GB', '60G', '60Gi', '60 GiB']) {
    assert.match(
      inEntry(`lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: ${size}}`),
      /must be a number of at least 0 or a text such as "60", not the text "60.*"; write 60\.$/,
      size,
    );
  }
  assert.match(inEntry('requestCPU: 4 cores'), /not the text "4 cores"; write 4\.$/);
  assert.match(
    inEntry('vllmConfig: {maxLoraRank: 64}'),
    /a flag of vLLM without a key of its own goes into extraArgs, as --max-lora-rank\.$/,
  );
});
