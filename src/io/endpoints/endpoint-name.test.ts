import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { addressOf, namedByModel, staticList } from './index.ts';

const namesOf = (list: Parameters<typeof namedByModel>[0]) =>
  namedByModel(list).map(({ name }) => name);

test('names engines of a fixed list after their model, with a number', () => {
  const names = namesOf([
    { url: 'http://a', models: ['Qwen/Qwen3-8B'] },
    { url: 'http://b', models: ['meta-llama/Llama 3.1 (8B)'] },
    { url: 'http://c', models: ['Qwen/Qwen3-8B'] },
    { url: 'http://d', models: [] },
  ]);
  assert.deepEqual(names, ['qwen3-8b-1', 'llama-3.1-8b-1', 'qwen3-8b-2', undefined]);
});

test('keeps given names, and gives no engine the name of another one', () => {
  const names = namesOf([
    { url: 'http://a', models: ['m'] },
    { url: 'http://b', models: ['m'], name: 'm-1' },
  ]);
  assert.deepEqual(names, [undefined, 'm-1']);
});

test('the name of an unnamed engine is its address', () => {
  assert.equal(addressOf('http://10.0.0.7:8000'), '10.0.0.7:8000');
  assert.equal(addressOf('https://gateway.example/engine-a'), 'gateway.example/engine-a');
});

test('refuses a name that would break a header or a list, or occurs twice', () => {
  for (const name of ['', 'a b', 'a,b', 'a\r\nx: y', 'ä', 'x'.repeat(129)]) {
    assert.throws(
      () => staticList([{ url: 'http://a', models: [], name }]),
      (error) => error instanceof InputError && /cannot have the name/.test(error.message),
    );
  }
  const twice = ['http://a', 'http://b'].map((url) => ({ url, models: [], name: 'same' }));
  assert.throws(() => staticList(twice), /Two engines have the name "same"\./);
});
