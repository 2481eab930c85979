// The lists of upstream's flags: what they mean together, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../../core/base/index.ts';
import { normalized } from '../../../io/endpoints/index.ts';
import { listedAliases, listedEngines } from './static-lists.ts';

const names = {
  ...{ backends: '--static-backends', models: '--static-models', aliases: '--static-aliases' },
  engineNames: '--engine-names',
};
const urls = ['http://a:8000', 'http://b:8000'];

test('each engine has the model and the name at its place in their lists', () => {
  const engines = listedEngines(urls, ['m', 'n'], names, ['one', 'two']);
  assert.deepEqual(
    engines.map(({ url, models, name }) => [url, models, name]),
    [
      ['http://a:8000', ['m'], 'one'],
      ['http://b:8000', ['n'], 'two'],
    ],
  );
});

test('without lists, models are read from the engines, and names are the default ones', () => {
  const engines = listedEngines(urls, undefined, names);
  assert.deepEqual(
    engines.map(({ models, name }) => [models, name]),
    [
      [[], undefined],
      [[], undefined],
    ],
  );
});

test('lists of different lengths are refused with both lengths', () => {
  assert.throws(() => listedEngines(urls, ['m'], names), {
    name: InputError.name,
    message: /^--static-models has 1 entry, --static-backends 2: give one model per engine/,
  });
  assert.throws(() => listedEngines(urls, undefined, names, ['one', 'two', 'three']), {
    name: InputError.name,
    message: /^--engine-names has 3 entries, --static-backends 2: give one name per engine/,
  });
});

test('an engine that is listed with several models serves them all', () => {
  const [engine, ...others] = listedEngines(
    ['http://a:8000', 'http://a:8000/', 'http://a:8000/v1'],
    ['m', 'n', 'm'],
    names,
    ['one', 'one', 'one'],
  );
  assert.deepEqual(others, []);
  assert.deepEqual(
    [engine?.url, engine?.models, engine?.name],
    ['http://a:8000', ['m', 'n'], 'one'],
  );
  assert.equal(listedEngines(['http://a', 'http://a'], undefined, names).length, 1);
  assert.throws(() => listedEngines(['http://a', 'http://a'], ['m', 'n'], names, ['one', 'two']), {
    name: InputError.name,
    message: 'Engine http://a is listed twice, with the names "one" and "two": give it one.',
  });
});

test('credentials are kept apart from the URL, however often a list is read', () => {
  const once = listedEngines(['http://ann:key@a/v1'], ['m'], names);
  assert.deepEqual(once, [
    {
      ...{ url: 'http://a', models: ['m'], authorization: `Basic ${btoa('ann:key')}` },
      note: 'engine URL http://a/v1: used as http://a, since requests have /v1 in their path',
    },
  ]);
  assert.deepEqual(normalized(once), once);
});

test('an alias that leads to another one is refused, and so is one with two models or two stars', () => {
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['a:b', 'b:m'], /has "a:b", and "b" is an alias itself: name the model, "a:m"\.$/],
    [['a:b', 'b:a'], /"b" is an alias itself/],
    [['a:m', 'a:n'], /has the alias "a" for "m" and for "n": give it one model\.$/],
    [['*-*:m'], /has "\*-\*": an alias may have one \*/],
    [['a:m*'], /has "m\*": a model cannot have a \*/],
    [['{"a":1}'], /accepts alias:model pairs, or \{"alias": "model"\} as JSON/],
    [['{"a"'], /accepts alias:model pairs/],
  ];
  for (const [pairs, message] of wrong) {
    assert.throws(() => listedAliases(pairs, names), { name: InputError.name, message });
  }
  assert.deepEqual(
    [...listedAliases('{"gpt-4":"m","a:b":"org/n"}'.split(','), names)],
    [
      ['gpt-4', 'm'],
      ['a:b', 'org/n'],
    ],
  );
  assert.deepEqual(
    [...listedAliases(['claude-*:m', ' m : m ', 'a:m', 'a:m'], names)],
    [
      ['claude-*', 'm'],
      ['m', 'm'],
      ['a', 'm'],
    ],
  );
});

test('an alias is everything before the first colon', () => {
  assert.deepEqual(
    listedAliases(['short:long', 'a:b:c'], names),
    new Map([
      ['short', 'long'],
      ['a', 'b:c'],
    ]),
  );
  for (const pair of ['alias', ':model', 'alias:', '']) {
    assert.throws(() => listedAliases([pair], names), {
      name: InputError.name,
      message: `--static-aliases accepts alias:model, not "${pair}".`,
    });
  }
});
