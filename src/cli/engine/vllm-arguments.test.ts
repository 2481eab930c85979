import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { settingNames, settingsTable } from '../../core/layout/index.ts';
import { vllmArguments } from './vllm-arguments.ts';

test('expands short names, with a space or an equals sign', () => {
  assert.deepEqual(vllmArguments(['-tp', '2', '-pp=3', '-O3', '-ep']), [
    ...['--tensor-parallel-size', '2', '--pipeline-parallel-size=3'],
    ...['--optimization-level=3', '--enable-expert-parallel'],
  ]);
});

test('replaces underscores in a name by dashes, but not in its fields and its value', () => {
  assert.deepEqual(vllmArguments(['--max_model_len', 'a_b', '--seed=1_0']), [
    ...['--max-model-len', 'a_b', '--seed=1_0'],
  ]);
});

test('merges fields of a JSON flag', () => {
  const args = ['--kv-events-config.publisher', 'zmq', '--kv_events_config.buffer_steps=5'];
  assert.deepEqual(
    vllmArguments([...args, '-cc.a.b=true', '-cc.list+', '1', '-cc.list+=2,3', '-cc.size=80k']),
    [
      ...['--kv-events-config', '{"publisher":"zmq","buffer_steps":5}'],
      ...['--compilation-config', '{"a":{"b":true},"list":["1","2","3"],"size":80000}'],
    ],
  );
});

test('a file of flags comes before the command line, which wins', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flags-'));
  const path = join(folder, 'flags.yaml');
  writeFileSync(
    path,
    'model: other\nport: 1\nenforce-eager: true\nenable_prefix_caching: false\nserved-model-name: [a, b]\nkv-events-config: {publisher: zmq}\n',
  );
  try {
    assert.deepEqual(vllmArguments(['m', '--config', path, '--port', '2']), [
      ...['m', '--port', '1', '--enforce-eager', '--no-enable-prefix-caching'],
      ...['--served-model-name', 'a', 'b', '--kv-events-config', '{"publisher":"zmq"}'],
      ...['--port', '2'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('refuses an invalid file in one sentence', () => {
  assert.throws(() => vllmArguments(['--config', 'a.json']), /must name a \.yaml file/);
  assert.throws(() => vllmArguments(['--config', '/nowhere/a.yaml']), /cannot be read: ENOENT/);
  assert.throws(() => vllmArguments(['--a.__proto__.b', '1']), /cannot set the field "__proto__"/);
});

test('leaves flags in the normal form unchanged', () => {
  const isNormal = (flag: string) =>
    flag !== '--config' &&
    settingNames.every((name) => !settingsTable[name].flag.startsWith(flag)) &&
    !/^--(n|no|no-.*|(en|dis)able-.*)$/.test(flag);
  const name = fc.stringMatching(/^--[a-z][a-z-]{0,20}$/).filter(isNormal);
  fc.assert(
    fc.property(fc.array(name), (args) => {
      assert.deepEqual(vllmArguments(args), args);
    }),
  );
});

test('uses the last occurrence of a repeated list', () => {
  assert.deepEqual(
    vllmArguments(['--served-model-name=a', '-q', 'x', '--served_model_name', 'b']),
    [...['--quantization', 'x', '--served-model-name', 'b']],
  );
});

test('abbreviations are read as argparse reads them', () => {
  assert.deepEqual(vllmArguments(['--max-model-le', '5', '--max_model_l=6', '--enforce']), [
    ...['--max-model-len', '5', '--max-model-len=6', '--enforce-eager'],
  ]);
  assert.deepEqual(vllmArguments(['--no-enable-prefix']), ['--no-enable-prefix-caching']);
  assert.deepEqual(vllmArguments(['--enable-l']), ['--enable-l'], 'of several flags');
});

test('each switch has the opposite that vLLM 0.33 gives it', () => {
  assert.deepEqual(vllmArguments(['--disable-lora', '--enable-custom-all-reduce']), [
    ...['--no-enable-lora', '--no-disable-custom-all-reduce'],
  ]);
});
