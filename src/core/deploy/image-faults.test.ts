import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineKind, resolveValues } from '../values/index.ts';
import { imageFaults } from './image-faults.ts';

function faults(text: string): readonly string[] {
  const { values } = resolveValues({ files: [{ name: 'my.yaml', text }] });
  return imageFaults(values, engineKind).map(({ sentence }) => sentence);
}
const entry = (keys: string) =>
  `servingEngineSpec: {modelSpec: [{name: m, modelURL: org/m, kind: vllm, ${keys}}]}`;

test('names of images as people have them are right', () => {
  for (const repository of [
    ...['vllm/vllm-openai', 'busybox', 'localhost/vllm', 'localhost:5000/a/b', 'my_org/a__b.c'],
    ...['ghcr.io/vllm-project/production-stack/router', '123.dkr.ecr.eu-west-1.amazonaws.com/v'],
  ]) {
    assert.deepEqual(faults(entry(`repository: ${repository}, tag: v0.32.0`)), [], repository);
  }
  for (const tag of ['latest', 'v0.32.0-cu129', '"2025"', '_x', 'nightly-abc_1.2']) {
    assert.deepEqual(faults(entry(`repository: a/b, tag: ${tag}`)), [], tag);
  }
});

test('a repository that is none is answered with the one that is meant', () => {
  for (const [repository, end] of [
    ['vllm/vllm-openai:v0.32.0', 'write vllm/vllm-openai, and tag: v0.32.0'],
    ['localhost:5000/a/b:1', 'write localhost:5000/a/b, and tag: 1'],
    ['https://ghcr.io/owner/name', 'write ghcr.io/owner/name'],
    ['VLLM/vllm-openai', 'write vllm/vllm-openai'],
    ['"vllm/vllm-openai "', 'write vllm/vllm-openai'],
    [`a/b@sha256:${'0'.repeat(64)}`, `write a/b, and digest: sha256:${'0'.repeat(64)}`],
    ['"{{ .Values.image }}"', 'such as vllm/vllm-openai or ghcr.io/owner/name'],
    ['"<your registry>/vllm"', 'such as vllm/vllm-openai or ghcr.io/owner/name'],
  ]) {
    const [sentence = '', ...rest] = faults(entry(`repository: ${repository}, tag: x`));
    assert.deepEqual(rest, []);
    assert.match(sentence, /modelSpec\[0\]\.repository ".*" is not the name of an image without/);
    assert.ok(sentence.endsWith(end ?? ''), sentence);
  }
});

test('a tag that is none is named at its key', () => {
  for (const tag of ['":latest"', '"v1 beta"', '"a/b"', '-x', `"${'x'.repeat(129)}"`]) {
    assert.match(
      faults(entry(`repository: a/b, tag: ${tag}`))[0] ?? '',
      /modelSpec\[0\]\.tag ".*" is not the tag of an image/,
    );
  }
  const digest = `"sha256:${'0'.repeat(64)}"`;
  assert.match(faults(entry(`repository: a/b, tag: ${digest}`))[0] ?? '', /own, digest$/);
});

test('images of other parts are checked where the chart uses them', () => {
  const wrong = 'image: {repository: A/b}';
  assert.deepEqual(faults(`cacheserverSpec: {enabled: false, ${wrong}}`), []);
  assert.match(faults(`cacheserverSpec: {enabled: true, ${wrong}}`)[0] ?? '', /^cacheserverSpec\./);
  assert.match(faults('routerSpec: {repository: A/b}')[0] ?? '', /^routerSpec\.repository/);
  assert.match(faults(`spillway: {${wrong}}`)[0] ?? '', /^spillway\.image\.repository "A\/b"/);
  assert.match(
    faults(entry('initContainer: {name: i, image: "a b"}'))[0] ?? '',
    /initContainer\.image "a b" is not the name of an image/,
  );
  const embedded = 'servingEngineSpec: {modelSpec: [{name: m, kind: embedded, repository: A/b}]}';
  assert.deepEqual(faults(embedded), [], 'it has the image of spillway.image');
});
