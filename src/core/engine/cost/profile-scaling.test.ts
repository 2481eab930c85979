import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findModel } from '../catalogue/models.ts';
import { gridOf, samplesOf } from './interpolation.ts';
import type { StepProfile } from './profile.ts';
import { scaleProfile } from './profile-scaling.ts';

/** Kernels start in 2 µs in dense tables and in 4 µs in the others. */
const profile: StepProfile = {
  attention: gridOf([
    [0, 1, 0, 10, 4],
    [0, 1, 0, 20, 12],
  ]),
  dense: new Map([
    [
      'mlp',
      samplesOf([
        [1, 2],
        [8, 18],
      ]),
    ],
    [
      'layernorm',
      samplesOf([
        [1, 3],
        [8, 5],
      ]),
    ],
  ]),
  perSequence: new Map([
    [
      'lm_head',
      samplesOf([
        [1, 10],
        [8, 26],
      ]),
    ],
    [
      'sampler',
      samplesOf([
        [1, 7],
        [8, 9],
      ]),
    ],
  ]),
  experts: gridOf([
    [1, 8, 4],
    [1, 16, 20],
  ]),
};
const model = { ...findModel('Qwen3-8B'), kvHeads: 2 };

test('attention shrinks only until each GPU has one KV head', () => {
  const longest = (to: number) => scaleProfile(profile, { model, from: 1, to }).attention;
  const half = gridOf([
    [0, 1, 0, 10, 4],
    [0, 1, 0, 20, 4 + 8 / 2],
  ]);
  assert.deepEqual(longest(2), half, 'one of two heads each');
  assert.deepEqual(longest(8), half);
});

test('work shrinks with each GPU’s share, and the startup of kernels does not', () => {
  const scaled = scaleProfile(profile, { model, from: 1, to: 4 });
  assert.deepEqual(scaled.dense.get('mlp')?.values, [2, 2 + 16 / 4]);
  assert.deepEqual(scaled.perSequence.get('lm_head')?.values, [2 + 8 / 4, 2 + 24 / 4]);
  assert.deepEqual(
    scaled.experts,
    gridOf([
      [1, 8, 4],
      [1, 16, 4 + 16 / 4],
    ]),
  );
});

test('attention shrinks until each GPU has one KV head, or without end if it is latent', () => {
  const attention = (last: number) =>
    gridOf([
      [0, 1, 0, 10, 4],
      [0, 1, 0, 20, last],
    ]);
  assert.deepEqual(
    scaleProfile(profile, { model, from: 1, to: 4 }).attention,
    attention(4 + 8 / 2),
  );
  const latent = { ...findModel('deepseek-ai/DeepSeek-V3'), kvHeads: 2 };
  const scaled = scaleProfile(profile, { model: latent, from: 1, to: 4 });
  assert.deepEqual(scaled.attention, attention(4 + 8 / 4));
});

test('normalisation and the sampler run in full on every GPU', () => {
  const scaled = scaleProfile(profile, { model, from: 1, to: 4 });
  assert.deepEqual(scaled.dense.get('layernorm'), profile.dense.get('layernorm'));
  assert.deepEqual(scaled.perSequence.get('sampler'), profile.perSequence.get('sampler'));
});

test('work grows from more GPUs to fewer, and an equal degree changes nothing', () => {
  const grown = scaleProfile(profile, { model, from: 2, to: 1 });
  assert.deepEqual(grown.dense.get('mlp')?.values, [2, 2 + 16 * 2]);
  assert.equal(scaleProfile(profile, { model, from: 2, to: 2 }), profile);
});
