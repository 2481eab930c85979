import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineKind, resolveValues } from '../values/index.ts';
import { nameFaults, releaseFault } from './name-faults.ts';

function faults(text: string, release?: string): readonly string[] {
  const { values } = resolveValues({ files: [{ name: 'my.yaml', text }] });
  return nameFaults(values, engineKind, release).map(({ sentence }) => sentence);
}
const named = (name: string, keys = '') =>
  `servingEngineSpec: {modelSpec: [{name: ${JSON.stringify(name)}${keys}}]}`;

test('a name that Kubernetes would refuse is answered with one that would do', () => {
  const suggestions: Readonly<Record<string, string>> = {
    'qwen2.5': 'qwen2-5',
    Qwen_Big: 'qwen-big',
    '-a-': 'a',
    'Qwen/Qwen3-8B': 'qwen-qwen3-8b',
    'größe 1': 'gr-e-1',
    日本: 'model',
  };
  for (const [name, better] of Object.entries(suggestions)) {
    const [sentence = '', ...rest] = faults(named(name));
    assert.deepEqual(rest, []);
    assert.ok(
      sentence.startsWith(`servingEngineSpec.modelSpec[0].name "${name}" cannot be part of names`),
      sentence,
    );
    assert.ok(sentence.includes(`use "${better}":`), sentence);
    assert.deepEqual(faults(named(better)), []);
  }
});

test('names are as long as the objects of the chart allow, whose names begin with the release', () => {
  assert.deepEqual(faults(named('m'.repeat(43))), []);
  assert.match(faults(named('m'.repeat(44)))[0] ?? '', /release "vllm" at most 43 characters/);
  assert.match(faults(named('m'.repeat(30)), 'r'.repeat(40))[0] ?? '', /use "mmmmmmm":/);
});

test('entries that make no objects may have any name', () => {
  assert.deepEqual(faults(named('a.b', ', urls: ["http://a"]')), []);
  assert.deepEqual(faults(named('a.b', ', enabled: false')), []);
  const text = 'servingEngineSpec: {enableEngine: false, modelSpec: [{name: a.b}]}';
  assert.deepEqual(faults(text), []);
});

test('init containers, adapters, keys of ConfigMaps and labels are checked, too', () => {
  assert.match(
    faults(named('m', ', initContainer: {name: vllm, image: x}'))[0] ?? '',
    /"init-vllm"/,
  );
  assert.match(faults(named('m', ', podLabels: {a: "b c"}'))[0] ?? '', /podLabels\.a "b c" cannot/);
  assert.match(
    faults(named('m', ', serviceAccountName: A_b'))[0] ?? '',
    /serviceAccountName "A_b"/,
  );
  assert.match(faults('servingEngineSpec: {configs: {"A B": x}}')[0] ?? '', /use "A-B"/);
  const adapter = '{name: A, baseModel: b, adapterSource: {type: local, adapterName: a}}';
  assert.match(faults(`loraAdapters: [${adapter}]`)[0] ?? '', /loraAdapters\[0\]\.name "A" .*"a"/);
});

test('with KubeRay the name of the cluster is bounded more tightly', () => {
  const onRay = ', raySpec: {enabled: true}';
  assert.deepEqual(faults(named('m'.repeat(37), onRay)), []);
  assert.match(
    faults(named('m'.repeat(38), onRay))[0] ?? '',
    /with the release "vllm" KubeRay allows at most 37 here; use "m{37}":/,
  );
  assert.deepEqual(faults(named('m'.repeat(38), ', raySpec: {enabled: false}')), []);
});

test('a release is too long for names of its objects, or does not begin them', () => {
  const faultOf = (text: string, release: string) =>
    releaseFault(resolveValues({ files: [{ name: 'my.yaml', text }] }).values, release);
  const one = named('m');
  assert.equal(faultOf(one, 'r'.repeat(46)), undefined);
  const long = faultOf(one, 'r'.repeat(50));
  assert.match(long ?? '', /^Release "r{50}" is too long: .* with at most 46, such as "r{46}"\.$/);
  const ray = named('m', ', raySpec: {enabled: true}');
  assert.match(faultOf(ray, 'r'.repeat(41)) ?? '', /RayCluster .* at most 40/);
  assert.match(faultOf(one, '1st') ?? '', /begin with a letter; name it "r1st", for example/);
  const none = 'servingEngineSpec: {enableEngine: false}\nrouterSpec: {enableRouter: false}';
  assert.equal(faultOf(none, 'r'.repeat(50)), undefined);
  assert.deepEqual(faults(one, 'r'.repeat(50)), [], 'names are not blamed for it');
});
