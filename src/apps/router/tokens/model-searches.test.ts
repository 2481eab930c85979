import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelSearches, type SearchedEngine, sourceOf } from './model-searches.ts';

type Options = Parameters<typeof modelSearches>[0];

const url = 'http://engine:8000';

function searchesOf(
  engine: Partial<SearchedEngine>,
  options: { readonly models?: readonly string[]; readonly sources?: Options['sources'] } = {},
) {
  const { models = ['m'], sources = {} } = options;
  const whole = { url, live: true, models: [], isEmulated: false, ...engine } as SearchedEngine;
  return modelSearches({
    core: { endpoint: () => ({ models }) } as unknown as Options['core'],
    engines: new Map([[url, whole]]),
    sources,
    authorization: 'Bearer key',
  });
}

test('a model is looked for by the root that its engine lists', () => {
  const models = [{ id: 'm', root: 'org/model' }];
  const search = { source: 'auto', root: 'org/model', engine: undefined };
  assert.deepEqual(
    [...searchesOf({ models })],
    [['m', { name: '["auto","org/model",false]', search }]],
  );
  assert.equal(searchesOf({ models: [{ id: 'm', root: 7 }] }).get('m')?.search.root, undefined);
  assert.equal(
    searchesOf({ models: [{ id: 'other', root: 'x' }] }).get('m')?.search.root,
    undefined,
  );
});

test('only an emulated engine is asked for its tokenizer, with the key of engines', () => {
  const emulated = searchesOf({ isEmulated: true }).get('m');
  assert.deepEqual(emulated?.search.engine, { url, authorization: 'Bearer key' });
  assert.equal(searchesOf({ isEmulated: undefined }).get('m')?.search.engine, undefined);
  assert.notEqual(emulated?.name, searchesOf({}).get('m')?.name);
  // A folder says all; the engine is not needed.
  const folder = searchesOf({ isEmulated: true }, { sources: { standard: './tokenizer' } }).get(
    'm',
  );
  assert.deepEqual([folder?.name, folder?.search.engine], ['./tokenizer', undefined]);
  const hub = searchesOf({ isEmulated: true }, { sources: { standard: 'hub' } }).get('m');
  assert.deepEqual(hub?.search.engine, { url, authorization: 'Bearer key' });
});

test('an adapter has the tokenizer of its model, unless it has a source of its own', () => {
  const models = [
    { id: 'base', root: 'org/base' },
    { id: 'adapter', parent: 'base', root: '/adapters/a' },
  ];
  const of = (byModel: readonly (readonly [string, string])[]) =>
    searchesOf({ models }, { models: ['base', 'adapter'], sources: { byModel: new Map(byModel) } });
  const shared = of([]);
  assert.equal(shared.get('adapter')?.name, shared.get('base')?.name);
  assert.equal(shared.get('adapter')?.search.root, 'org/base');
  assert.equal(of([['base', './base']]).get('adapter')?.name, './base');
  assert.equal(of([['adapter', './own']]).get('adapter')?.name, './own');
  assert.deepEqual([...of([['base', 'none']]).keys()], []);
  assert.deepEqual([...of([['adapter', 'none']]).keys()], ['base']);
});

test('engines that are not live need none, and the first engine of a model decides', () => {
  assert.equal(searchesOf({ live: false }).size, 0);
  assert.equal(searchesOf({}, { models: [] }).size, 0);
  const engine = (root: string) =>
    ({ url: root, live: true, models: [{ id: 'm', root }], isEmulated: false }) as SearchedEngine;
  const searches = modelSearches({
    core: { endpoint: () => ({ models: ['m'] }) } as unknown as Options['core'],
    engines: new Map(['first', 'second'].map((root) => [root, engine(root)])),
    sources: {},
    authorization: undefined,
  });
  assert.equal(searches.get('m')?.search.root, 'first');
});

test('the source of a model is its own, then the standard one, then to look for it', () => {
  const byModel = new Map([['m', './own']]);
  assert.equal(sourceOf('m', { byModel, standard: 'hub' }), './own');
  assert.equal(sourceOf('n', { byModel, standard: 'hub' }), 'hub');
  assert.equal(sourceOf('n', {}), 'auto');
});
