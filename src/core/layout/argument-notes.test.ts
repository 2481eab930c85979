import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineKind, resolveValues } from '../values/index.ts';
import { argumentNotes } from './argument-notes.ts';
import { engineArguments } from './engine-arguments.ts';

function entryOf(keys: string, words: readonly string[]) {
  const text = `servingEngineSpec: {modelSpec: [{name: m, ${keys}, vllmConfig: {extraArgs: ${JSON.stringify(words)}}}]}`;
  return resolveValues({ files: [{ name: 'my.yaml', text }] }).values;
}

function notes(words: readonly string[], keys = 'kind: vllm'): readonly string[] {
  return argumentNotes(entryOf(keys, words), engineKind).map(({ reason }) => reason);
}

test('names the flag that was meant', () => {
  assert.deepEqual(notes(['--max-model-length', '8192']), [
    '--max-model-length is not a known flag of vLLM 0.32; did you mean --max-model-len?',
  ]);
  assert.deepEqual(notes(['--gpu_memory_utilisation=0.9']), [
    '--gpu-memory-utilisation is not a known flag of vLLM 0.32; did you mean --gpu-memory-utilization?',
  ]);
  assert.deepEqual(notes(['--qwxyz']), [
    '--qwxyz is not a known flag of vLLM 0.32; check its spelling',
  ]);
  assert.deepEqual(notes(['--tensor-parallel', '2']), [
    '--tensor-parallel is short for --tensor-parallel-size; write it out',
  ]);
});

test('finds words without dashes, and flags with their value in one item', () => {
  assert.deepEqual(notes(['max-model-len', '8192']), [
    '"max-model-len" has no dashes in front, and vLLM would refuse it; write --max-model-len',
    '"8192" belongs to no flag, and vLLM would refuse it',
  ]);
  assert.deepEqual(notes(['max-model-len=8192']), [
    '"max-model-len=8192" has no dashes in front, and vLLM would refuse it; write --max-model-len=8192',
  ]);
  assert.deepEqual(notes(['--max-model-len 8192', '--enforce-eager']), [
    '"--max-model-len 8192" is one argument with a space in it; write two items, "--max-model-len" and "8192"',
  ]);
});

test('says what replaces a former flag, by the release in the tag of the image', () => {
  const old = 'kind: vllm, repository: vllm/vllm-openai, tag: v0.10.2';
  const words = ['--guided-decoding-backend', 'xgrammar'];
  assert.deepEqual(notes(words, old), [
    "the image's tag v0.10.2 has --guided-decoding-backend, but no vLLM after 0.11 has: before you upgrade, use --structured-outputs-config.backend",
  ]);
  const now =
    'vLLM has no --guided-decoding-backend after 0.11: use --structured-outputs-config.backend';
  for (const keys of [
    'kind: vllm, repository: vllm/vllm-openai, tag: v0.12.0',
    'kind: vllm, repository: vllm/vllm-openai, tag: latest',
    'kind: vllm, repository: lmcache/vllm-openai, tag: v0.3.9',
    'kind: embedded, repository: vllm/vllm-openai, tag: v0.10.2',
  ]) {
    assert.deepEqual(notes(words, keys), [now], keys);
  }
  assert.match(notes(['--speculative-model', 'x'])[0] ?? '', /use --speculative-config/);
  assert.match(notes(['--rope-scaling', '{}'])[0] ?? '', /use --hf-overrides/);
  assert.match(notes(['--swap-space', '4'])[0] ?? '', /^vLLM 0\.32 has no --swap-space: remove it/);
});

test('a former connector is a note, not an error', () => {
  const config =
    '{"kv_connector":"SharedStorageConnector","kv_role":"kv_both","kv_rank":0,"kv_parallel_size":1}';
  assert.deepEqual(
    notes(
      ['--kv-transfer-config', config],
      'kind: vllm, repository: vllm/vllm-openai, tag: v0.10.2',
    ),
    [
      "vLLM 0.32 has no kv_rank, kv_parallel_size in --kv-transfer-config, which the image's tag v0.10.2 may have: before you upgrade, remove them",
      "the image's tag v0.10.2 has SharedStorageConnector in --kv-transfer-config, but no vLLM after 0.12 has: before you upgrade, use ExampleConnector",
    ],
  );
});

test('flags that vLLM knows have no note', () => {
  const words = ['--tensor-parallel-size', '2', '-tp=2', '--no-enable-prefix-caching', '-O3'];
  assert.deepEqual(notes([...words, '--served-model-name', 'a', 'b', '--seed', '3']), []);
  assert.deepEqual(notes(['--qwxyz'], 'urls: ["http://a"]'), []);
});

test('an embedded engine gets the arguments that it has', () => {
  const words = [
    ...['stray', '--qwxyz', '7', '--max-model-len', '8K', '--guided-decoding-backend=xgrammar'],
    ...['--served-model-name', 'a', 'b', '--enforce-eager', 'stray', '-tp=2', '--no-port', '1'],
    ...['--no-enable-prefix-caching', '--kv-events-config.publisher', 'zmq', '--seed', '3'],
  ];
  const [entry] = entryOf('kind: embedded', words).servingEngineSpec.modelSpec;
  assert.ok(entry);
  assert.deepEqual(engineArguments(entry), [
    ...['--max-model-len', '8K', '--served-model-name', 'a', 'b', '--enforce-eager', '-tp=2'],
    ...['--no-enable-prefix-caching', '--kv-events-config.publisher', 'zmq', '--seed', '3'],
  ]);
});

test('a port that is not that of the probes is told where to go', () => {
  assert.match(
    notes(['--port', '9000']).join(),
    /^--port 9000 has no effect under .*containerPort \(8000\)/,
  );
  assert.match(notes(['--port=9000'], 'kind: embedded').join(), /^--port 9000 has no effect/);
  assert.deepEqual(notes(['--port', '8000', '--host', '0.0.0.0']), []);
});

test('a switch with a value, as in old releases, is read, and told how vLLM has it today', () => {
  assert.deepEqual(notes(['--enable_chunked_prefill=False', '--enable-prefix-caching=true']), [
    '--enable_chunked_prefill=False has a value, which vLLM refuses after 0.8; write --no-enable-chunked-prefill',
    '--enable-prefix-caching=true has a value, which vLLM refuses after 0.8; write --enable-prefix-caching',
  ]);
  assert.deepEqual(notes(['--enable-chunked-prefill', 'False']), [
    '--enable-chunked-prefill False has a value, which vLLM refuses after 0.8; write --no-enable-chunked-prefill',
  ]);
  assert.deepEqual(notes(['--max-model-len=1024']), []);
});
