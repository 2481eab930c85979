import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelAliases } from './model-aliases.ts';

const aliases = new ModelAliases(
  new Map([
    ['chat', 'm'],
    ['claude-*', 'large'],
    ['claude-*-haiku', 'small'],
    ['*', 'any'],
  ]),
);
const none = () => false;

test('a name is its alias’s model, or that of the most precise pattern, or itself', () => {
  const named = ['chat', 'claude-3', 'claude-', 'claude-3-haiku', 'claude-haiku', 'gpt-4o'];
  assert.deepEqual(
    named.map((name) => aliases.resolve(name, none)),
    ['m', 'large', 'large', 'small', 'large', 'any'],
  );
  const few = new ModelAliases(new Map([['claude-*', 'm']]));
  assert.equal(few.resolve('gpt-4o', none), 'gpt-4o');
  assert.equal(few.resolve('my-claude-3', none), 'my-claude-3');
});

test('a model that engines serve is not taken for a name of a pattern', () => {
  assert.equal(
    aliases.resolve('claude-3', (name) => name === 'claude-3'),
    'claude-3',
  );
  assert.equal(
    aliases.resolve('chat', () => true),
    'm',
    'a whole alias comes first',
  );
});

test('the parts around the star do not overlap', () => {
  const one = new ModelAliases(new Map([['ab*ba', 'm']]));
  assert.equal(one.resolve('aba', none), 'aba');
  assert.equal(one.resolve('abba', none), 'm');
});
