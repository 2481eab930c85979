import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TextTable } from '../../base/index.ts';
import { findGpu } from '../catalogue/find-gpu.ts';
import { findModel } from '../catalogue/models.ts';
import { interpolate, interpolateGrid } from './interpolation.ts';
import { parseStepProfile } from './profile.ts';
import { fillProfileGaps } from './profile-gaps.ts';

const tableOf = (source: string, columns: string, rows: readonly string[]): TextTable => ({
  source,
  columns: columns.split(','),
  rows: rows.map((row, i) => ({ line: i + 2, cells: row.split(',') })),
});

const tables = {
  attention: tableOf('attention.csv', 'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us', [
    ...['0,0,1,0,10', '0,0,1,100,30'],
  ]),
  dense: tableOf('dense.csv', 'layer,tokens,time_us', ['mlp,1,5', 'mlp,9,13']),
};
const perSequence = tableOf('per_sequence.csv', 'layer,sequences,time_us', ['sampler,1,7']);

/** Rates that make every sum a round number of microseconds. */
const gpu = {
  ...{ ...findGpu('H100'), flopsPerSecond: 2e9, memoryBytesPerSecond: 4e9 },
  efficiency: { matrix: 0.5, attention: 1, memory: 0.25, link: 1 },
};
const dense = { ...findModel('opt-125m'), vocabSize: 100, hiddenSize: 30, bytesPerValue: 2 };
const options = { model: dense, gpu, tensorParallelSize: 1, weightBytesPerValue: 2 };

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) - expected) < 1e-6, `${actual} instead of ${expected}`);

test('a missing output layer and sampler take their arithmetic and traffic at the GPU’s rates', () => {
  const { profile, notes } = fillProfileGaps(parseStepProfile(tables), options);
  assert.deepEqual(notes, [
    `The profile has no per_sequence.csv (output layer and sampler); it is computed from the rates of the ${gpu.name}.`,
  ]);
  const at = (layer: string, n: number) => {
    const samples = profile.perSequence.get(layer);
    return samples && interpolate(samples, n);
  };
  // 3,000 weights: 6 µs of arithmetic a sequence at 1e9/s, 6 µs of traffic at 1e9 B/s.
  near(at('lm_head', 1), 2 + Math.hypot(6, 6));
  near(at('lm_head', 8), 2 + Math.hypot(48, 6));
  // 100 logits of 4 bytes, gone over 1.9 times.
  near(at('sampler', 1), 18 + 0.76);
  near(at('sampler', 64), 18 + 64 * 0.76);
  const { profile: split } = fillProfileGaps(parseStepProfile(tables), {
    ...{ ...options, tensorParallelSize: 2 },
  });
  const head = split.perSequence.get('lm_head');
  near(head && interpolate(head, 1), 2 + Math.hypot(3, 3));
});

test('missing experts take what their tokens compute and what the touched ones weigh', () => {
  const experts = { count: 5, perToken: 2, shared: 1 };
  const model = { ...dense, experts, intermediateSize: 10, feedForwardMatrices: 2 as const };
  const { profile, notes } = fillProfileGaps(parseStepProfile({ ...tables, perSequence }), {
    ...{ ...options, model, weightBytesPerValue: 1 },
  });
  assert.match(notes.join(), /^The profile has no moe.csv \(experts\);/);
  const at = (tokens: number, touched: number) =>
    profile.experts && interpolateGrid(profile.experts, [tokens, touched]);
  // An expert has 600 weights: 2 · 3 · 600 operations a token, 600 bytes an expert.
  near(at(1, 2), 4 + Math.hypot(3.6, 1.8));
  near(at(4, 5), 4 + Math.hypot(14.4, 3.6));
  near(at(4, 1), 4 + Math.hypot(14.4, 1.2));
});

test('a whole profile is left as it is', () => {
  const whole = parseStepProfile({ ...tables, perSequence });
  assert.deepEqual(fillProfileGaps(whole, options), { profile: whole, notes: [] });
});
