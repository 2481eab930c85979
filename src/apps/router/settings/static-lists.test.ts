// The lists of upstream's flags: what they mean together, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../../core/base/index.ts';
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
