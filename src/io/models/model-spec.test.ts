import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { findModel } from '../../core/engine/index.ts';
import { readEngineModel, readModelSpec, readStandIn } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-shape-'));
after(() => rmSync(directory, { recursive: true }));

const shape = {
  ...{ model_type: 'qwen3', hidden_size: 4096, intermediate_size: 12_288, vocab_size: 151_936 },
  ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 },
  ...{ tie_word_embeddings: false, max_position_embeddings: 40_960 },
};

function folder(name: string, config: string): string {
  const path = join(directory, name);
  mkdirSync(path);
  writeFileSync(join(path, 'config.json'), config);
  return path;
}

test('finds a model by its catalogue name, its folder with config.json, or that file', () => {
  const { source: _, name: __, ...known } = readModelSpec('qwen3-8b');
  const path = folder('My-8B', JSON.stringify(shape));
  for (const given of [path, join(path, 'config.json')]) {
    const { source, name, given: kept, ...read } = readModelSpec(given);
    assert.equal(name, 'My-8B');
    assert.equal(kept, given);
    assert.match(source, /config\.json of My-8B/);
    assert.deepEqual(read, known);
  }
  assert.deepEqual(readModelSpec('Qwen/Qwen3-8B'), findModel('Qwen/Qwen3-8B'));
});

test('the error for an unknown model names the file or the most similar model', () => {
  const refused = (given: string, message: RegExp) =>
    assert.throws(
      () => readModelSpec(given),
      (error) => error instanceof InputError && message.test(error.message),
    );
  refused('Qwen/Qwen3-8', /did you mean Qwen\/Qwen3-8B, /);
  refused('/nowhere', /^There is no \/nowhere\/config\.json on this machine; did you mean /);
  refused('/x/qwen3', /^There is no \/x\/qwen3\/config\.json on this machine; did you mean Qwen/);
  refused(folder('torn', '{"hidden_size": 4'), /^Cannot read .*torn\/config\.json: /);
  refused(folder('list', '[1]'), /a config\.json must be an object/);
  refused(folder('short', '{"hidden_size": 4096}'), /config\.json of short has no number/);
});

test('a stand-in gives its shape to any name: a model, a folder or a size', () => {
  const { name, layers, hiddenSize } = readStandIn('Qwen/Qwen3-8B', 'gpt-4o');
  assert.deepEqual([name, layers, hiddenSize], ['gpt-4o', 36, 4096]);
  assert.equal(readStandIn(folder('Stand-8B', JSON.stringify(shape)), 'gpt-4o').hiddenSize, 4096);
  assert.equal(readStandIn('8B', 'gpt-4o').name, 'gpt-4o');
  assert.throws(() => readStandIn('huge', 'gpt-4o'), /Model "huge" is not in the catalogue/);
});

test('an engine has its own model, else the stand-in for unknown models, else a way out', () => {
  const sizes = (name: string, standIn: object) =>
    readEngineModel(name, 'with --stand-in NAME', standIn).hiddenSize;
  assert.equal(sizes('Qwen/Qwen3-0.6B', { unknown: 'Qwen/Qwen3-8B' }), 1024);
  assert.equal(sizes('Qwen/Qwen3-0.6B', { always: 'Qwen/Qwen3-8B' }), 4096);
  assert.equal(sizes('gpt-4o', { unknown: 'Qwen/Qwen3-8B' }), 4096);
  assert.throws(
    () => sizes('gpt-4o', {}),
    /^InputError: Model "gpt-4o" is not in the catalogue; the nearest models are openai\/gpt-oss-20b, .*: emulate it as one of them, or with a size such as 8B, with --stand-in openai\/gpt-oss-20b\.$/,
  );
});
