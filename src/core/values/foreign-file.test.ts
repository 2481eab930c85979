import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValuesError } from './problem.ts';
import { resolveValues } from './resolve.ts';

const resolve = (text: string, subchart?: string) =>
  resolveValues({ files: [{ name: 'my.yaml', text }], subchart });

function refusal(text: string, subchart?: string): string {
  try {
    resolve(text, subchart);
  } catch (error) {
    if (error instanceof ValuesError) return error.message;
    throw error;
  }
  return assert.fail(`accepted: ${text}`);
}

test('values of a chart above are recognised, and one flag reads the part below', () => {
  const text =
    'global: {a: b}\nlitellm: {replicas: 1}\nvllm:\n  enabled: true\n  servingEngineSpec: {containerPort: 8001}\n';
  assert.equal(
    refusal(text),
    'my.yaml:3:1: these are values of a chart that contains this one: its own are below vllm; read that part with --subchart vllm, or write it to a file with "spillway config show --subchart vllm -f my.yaml".',
  );
  assert.equal(resolve(text, 'vllm').values.servingEngineSpec.containerPort, 8001);
});

test('a chart below a chart below a chart', () => {
  const text = 'vllm:\n  vllm-stack:\n    routerSpec: {replicaCount: 3}\n';
  assert.match(refusal(text), /are below vllm\.vllm-stack; read that part with --subchart vllm\./);
  assert.equal(resolve(text, 'vllm.vllm-stack').values.routerSpec.replicaCount, 3);
});

test('several charts of one kind are named', () => {
  const text = 'chat: {servingEngineSpec: {}}\nembed: {servingEngineSpec: {}}\n';
  assert.match(refusal(text), /below chat and embed; read that part with --subchart chat/);
});

test('values within a HelmRelease or an Argo Application are found', () => {
  const release =
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    routerSpec: {replicaCount: 2}\n';
  assert.match(
    refusal(release),
    /a Kubernetes object, with values of this chart below spec\.values/,
  );
  assert.equal(resolve(release, 'spec.values').values.routerSpec.replicaCount, 2);
  const application =
    'apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {helm: {valuesObject: {routerSpec: {replicaCount: 2}}}}}\n';
  assert.match(refusal(application), /--subchart spec\.source\.helm\.valuesObject/);
});

test('--subchart says which keys there are', () => {
  assert.equal(
    refusal('vllm: {routerSpec: {}}\nother: 1\n', 'vlm'),
    'my.yaml: --subchart vlm: no file has this key; at the top are vllm, other.',
  );
  assert.match(refusal('vllm: 3\n', 'vllm'), /^my\.yaml:1:7: vllm must be a map of values\.$/);
  assert.equal(resolve('vllm:\n', 'vllm').values.routerSpec.replicaCount, 1);
});

test('a preset and --set are not below the key', () => {
  const { values } = resolveValues({
    preset: 'laptop',
    files: [{ name: 'my.yaml', text: 'vllm: {routerSpec: {replicaCount: 2}}' }],
    subchart: 'vllm',
    sets: ['routerSpec.containerPort=9000'],
  });
  assert.deepEqual([values.routerSpec.replicaCount, values.routerSpec.containerPort], [2, 9000]);
  assert.ok(values.servingEngineSpec.modelSpec.length > 0);
});

test('says what a file of another program is, and what to do with it', () => {
  const files: readonly (readonly [text: string, expected: RegExp])[] = [
    [
      'model_list: []\nlitellm_settings: {drop_params: true}',
      /^my\.yaml:1:1: this is a configuration of LiteLLM, not .*modelSpec/,
    ],
    ['services: {vllm: {image: vllm/vllm-openai}}', /Compose file/],
    ['service_discovery: static\nrouting_logic: roundrobin', /--dynamic-config-json FILE/],
    ['chunk_size: 256\nlocal_cpu: true', /configuration of LMCache/],
    ['apiVersion: v1\nkind: Pod\nmetadata: {}', /a Kubernetes object Pod, not a values file/],
    ['model: Qwen/Qwen3-8B\nmax-model-len: 8192', /"spillway engine --config FILE"/],
    ['tensor_parallel_size: 2\ngpu_memory_utilization: 0.9', /configuration of "vllm serve"/],
  ];
  for (const [text, expected] of files) assert.match(refusal(text), expected);
});

test('a wrong key in a values file is still reported as such', () => {
  assert.match(refusal('model: x\nrouterSpec: {}'), /model is not a known key/);
  assert.match(refusal('monitoring: {enabled: true}'), /monitoring is not a known key/);
});
