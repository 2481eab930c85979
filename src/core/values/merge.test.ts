import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeTrees } from './merge.ts';
import { parseValues } from './parse.ts';
import { resolveValues } from './resolve.ts';
import { type Dictionary, fromPlain, placeAt, toPlain } from './tree.ts';

const tree = (data: unknown, source = 'test'): Dictionary =>
  fromPlain(data, { source }) as Dictionary;
const merged = (...layers: unknown[]): unknown =>
  toPlain(layers.map((layer) => tree(layer)).reduce(mergeTrees));

test('merges files as Helm does', () => {
  const table: { name: string; layers: unknown[]; result: unknown }[] = [
    {
      name: 'maps key by key',
      layers: [{ a: { b: 1, c: 2 } }, { a: { c: 3 } }],
      result: { a: { b: 1, c: 3 } },
    },
    { name: 'lists replace', layers: [{ a: [1, 2, 3] }, { a: [4] }], result: { a: [4] } },
    {
      name: 'lists of maps replace, too',
      layers: [{ a: [{ x: 1, y: 2 }] }, { a: [{ x: 3 }] }],
      result: { a: [{ x: 3 }] },
    },
    { name: 'a scalar replaces a map', layers: [{ a: { b: 1 } }, { a: 'x' }], result: { a: 'x' } },
    {
      name: 'a map replaces a scalar',
      layers: [{ a: 'x' }, { a: { b: 1 } }],
      result: { a: { b: 1 } },
    },
    {
      name: 'null stays, because it may remove a default',
      layers: [{ a: 1 }, { a: null }],
      result: { a: null },
    },
    {
      name: 'null can be set again',
      layers: [{ a: null }, { a: { b: 1 } }],
      result: { a: { b: 1 } },
    },
    {
      name: 'an empty map changes nothing',
      layers: [{ a: { b: 1 } }, { a: {} }],
      result: { a: { b: 1 } },
    },
    { name: 'the last of three wins', layers: [{ a: 1 }, { a: 2 }, { a: 3 }], result: { a: 3 } },
  ];
  for (const { name, layers, result } of table) assert.deepEqual(merged(...layers), result, name);
});

test('maps merge into the defaults, lists replace them, and null removes them', () => {
  const values = (text: string) => resolveValues({ files: [{ name: 'f', text }] }).values;
  const labels = values('servingEngineSpec: {labels: {team: a, environment: null}}');
  assert.deepEqual(labels.servingEngineSpec.labels, { release: 'test', team: 'a' });
  const resources = values('routerSpec: {resources: {limits: null}}').routerSpec.resources;
  assert.deepEqual(resources, { requests: { cpu: '400m', memory: '1000Mi' } });
  assert.deepEqual(values('routerSpec: {resources: null}').routerSpec.resources, {});
  assert.deepEqual(values('routerSpec: {livenessProbe: null}').routerSpec.livenessProbe, {});
  const probe = values('routerSpec: {livenessProbe: {periodSeconds: 7}}').routerSpec.livenessProbe;
  assert.equal(probe.periodSeconds, 7);
  assert.equal(probe.initialDelaySeconds, 30);
  const route = values('routerSpec: {route: {http: {enabled: true}}}').routerSpec.route;
  assert.deepEqual(Object.keys(route), ['main', 'http']);
});

test('null resets a scalar to its default, and removes a key of an entry', () => {
  const files = [
    { name: 'a', text: 'routerSpec: {replicaCount: 5}' },
    { name: 'b', text: 'routerSpec: {replicaCount: null}' },
    { name: 'c', text: 'servingEngineSpec: {modelSpec: [{name: m, vllmConfig: null}]}' },
  ];
  const { values } = resolveValues({ files });
  assert.equal(values.routerSpec.replicaCount, 1);
  assert.equal(values.servingEngineSpec.modelSpec[0]?.vllmConfig, undefined);
});

test('nulls inside Kubernetes objects of a list are kept, as Helm keeps them', () => {
  const text = 'extraObjects: [{kind: Pod, spec: {emptyDir: null}}]';
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  assert.deepEqual(values.extraObjects, [{ kind: 'Pod', spec: { emptyDir: null } }]);
});

// A key always has the same kind, as in any two files for one schema: m and n are maps, the others
// are not.
const { map: anyMap } = fc.letrec<{ map: Record<string, unknown> }>((tie) => ({
  map: fc.record(
    {
      m: tie('map'),
      n: tie('map'),
      x: fc.constantFrom(null, 0, 1, 'x'),
      y: fc.array(fc.constantFrom(1, 2), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  ),
}));

test('merging is associative, and merging with an empty file or with itself changes nothing', () => {
  fc.assert(
    fc.property(anyMap, anyMap, anyMap, (a, b, c) => {
      const left = mergeTrees(mergeTrees(tree(a), tree(b)), tree(c));
      const right = mergeTrees(tree(a), mergeTrees(tree(b), tree(c)));
      assert.deepEqual(toPlain(left), toPlain(right));
      assert.deepEqual(merged(a, {}), merged(a));
      assert.deepEqual(merged({}, a), merged(a));
      assert.deepEqual(merged(a, a), merged(a));
    }),
  );
});

test('keeps the place where each merged value was written', () => {
  const both = mergeTrees(tree({ a: { b: 1, c: 2 } }, 'one'), tree({ a: { c: 3 } }, 'two'));
  assert.equal(placeAt(both, ['a', 'b']).source, 'one');
  assert.equal(placeAt(both, ['a', 'c']).source, 'two');
});

test('a comment above a key stays unless the later file has one there', () => {
  const parsed = (text: string) => parseValues(text, 'values.yaml').tree;
  const aboveA = (lower: string, upper: string) =>
    mergeTrees(parsed(lower), parsed(upper)).entries.get('a')?.above;
  const first = 'z: 0\n# first\na: 1\n';
  assert.equal(aboveA(first, 'a: 2\n'), ' first');
  assert.equal(aboveA(first, 'z: 0\n# second\na: 2\n'), ' second');
});

test("Spillway's own policy takes precedence over the chart's, unless a later source sets that", () => {
  const own = {
    name: 'plan.yaml',
    text: 'routerSpec: {routingLogic: kvaware}\nspillway: {routingLogic: predictive}\n',
  };
  const policyOf = (input: Parameters<typeof resolveValues>[0]) =>
    resolveValues(input).values.routerSpec.routingLogic;
  assert.equal(policyOf({ files: [own] }), 'predictive');
  const later = { name: 'later.yaml', text: 'routerSpec: {routingLogic: prefixaware}\n' };
  assert.equal(policyOf({ files: [own, later] }), 'prefixaware');
  assert.equal(policyOf({ files: [later, own] }), 'predictive');
  const set = 'routerSpec.routingLogic=roundrobin';
  assert.equal(policyOf({ files: [own], sets: [set] }), 'roundrobin');
  const sets = [set, 'spillway.routingLogic=leastloaded'];
  assert.equal(policyOf({ files: [own], sets }), 'leastloaded');
});
