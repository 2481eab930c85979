import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { defineEngineFlags } from './engine-flags.ts';
import { vllmArguments } from './vllm-arguments.ts';

test('short names, with a space or an equals sign, become the long ones', () => {
  assert.deepEqual(vllmArguments(['-tp', '2', '-pp=3', '-O3', '-ep']), [
    ...['--tensor-parallel-size', '2', '--pipeline-parallel-size=3'],
    ...['--optimization-level=3', '--enable-expert-parallel'],
  ]);
});

test('underscores in a name become dashes; those in its fields and its value stay', () => {
  assert.deepEqual(vllmArguments(['--max_model_len', 'a_b', '--seed=1_0']), [
    ...['--max-model-len', 'a_b', '--seed=1_0'],
  ]);
});

test('fields of a JSON flag are put together', () => {
  const args = ['--kv-events-config.publisher', 'zmq', '--kv_events_config.buffer_steps=5'];
  assert.deepEqual(vllmArguments([...args, '-cc.a.b=true', '-cc.list+', '1', '-cc.list+=2']), [
    ...['--kv-events-config', '{"publisher":"zmq","buffer_steps":5}'],
    ...['--compilation-config', '{"a":{"b":true},"list":[1,2]}'],
  ]);
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

test('a file that is none is refused in one sentence', () => {
  assert.throws(() => vllmArguments(['--config', 'a.json']), /must name a \.yaml file/);
  assert.throws(() => vllmArguments(['--config', '/nowhere/a.yaml']), /cannot be read: ENOENT/);
  assert.throws(() => vllmArguments(['--a.__proto__.b', '1']), /cannot set the field "__proto__"/);
});

test('flags in our own form stay as they are', () => {
  const name = fc.stringMatching(/^--[a-z][a-z-]{0,20}$/);
  fc.assert(
    fc.property(fc.array(name.filter((flag) => flag !== '--config')), (args) => {
      assert.deepEqual(vllmArguments(args), args);
    }),
  );
});

test('every switch can be taken back with --no-', () => {
  const command = defineEngineFlags(new Command('engine')).exitOverride();
  const options = command.parse(
    ['--enable-lora', '--no-enable-lora', '--no-enable-auto-tool-choice', '--no-enforce-eager'],
    { from: 'user' },
  );
  assert.equal(options.opts()['enableLora'], false);
  assert.equal(options.opts()['enableAutoToolChoice'], false);
});
