// Names that the catalogue lacks, as people write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findModel } from './models.ts';
import { nearestModels } from './nearest-models.ts';

const nearestOf = (name: string): string => {
  try {
    findModel(name);
  } catch (error) {
    return /did you mean (.*?)\?/.exec((error as Error).message)?.[1] ?? '';
  }
  return assert.fail(`${name} is known`);
};

test('a model that generates text is not taken for one that makes vectors, nor the other way round', () => {
  for (const name of [
    'allenai/OLMo-2-1124-7B-Instruct',
    'upstage/SOLAR-10.7B-Instruct-v1.0',
    'nvidia/Nemotron-H-8B',
  ]) {
    assert.doesNotMatch(nearestOf(name), /gte|e5-|bge|Embedding|Reranker/, name);
  }
  for (const name of ['BAAI/bge-foo', 'Salesforce/SFR-Embedding-Mistral2']) {
    assert.match(nearestOf(name), /^(\S+\/(bge|e5|gte|\S*Embedding)\S*(, | or )?){3}$/, name);
  }
});

test('within a family the size decides, and a family of other sizes does not', () => {
  assert.match(nearestOf('google/gemma-4-31b'), /^google\/gemma-2-27b, google\/gemma-3-27b or /);
  assert.match(nearestOf('Qwen/Qwen3.9-27B-Foo'), /^Qwen\/Qwen3-30B-A3B, Qwen\/Qwen3-32B or /);
  assert.doesNotMatch(nearestOf('deepseek-ai/deepseek-coder-6.7b-instruct'), /DeepSeek-V3/);
});

test('a misspelt name is the first', () => {
  assert.match(nearestOf('Qwen/Qwen3-8b-instrct'), /^Qwen\/Qwen3-8B, /);
  const known = [{ name: 'microsoft/phi-4' }, { name: 'openai/gpt-oss-20b' }];
  assert.deepEqual(nearestModels('gpt-4o', known, 1), {
    names: ['openai/gpt-oss-20b'],
    areSimilar: true,
  });
});
