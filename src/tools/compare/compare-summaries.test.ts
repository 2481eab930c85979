import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SavedRun } from '../runs/index.ts';
import { compareSummaries, summariesJson, summariesText } from './compare-summaries.ts';

function result(path: string, figures: object, rate = '4'): SavedRun {
  return {
    ...{ path, command: 'vllm bench serve', label: undefined, startedAt: '', status: 0 },
    arguments: ['vllm', 'bench', 'serve', '--request-rate', rate],
    result: { model_id: 'm', total_input_tokens: 9, total_output_tokens: 9, ...figures },
    environment: undefined,
  };
}

const a = result('a.json', { mean_ttft_ms: 100, failed: 0, p99_ttft_ms: 180 });

test('summaries are shown side by side, without a verdict and with the way to one', () => {
  const compared = compareSummaries(a, result('b.json', { mean_ttft_ms: 130, failed: 2 }));
  const text = summariesText(compared);
  assert.match(text, /^Not enough data: the files have only summaries.*--save-detailed/);
  assert.match(text, /TTFT mean +100\.00 +130\.00 +1\.300/);
  assert.match(text, /failed +0\.00 +2\.00 +-/);
  assert.doesNotMatch(text, /p99|WARNING/);
  const json = summariesJson(compared);
  assert.equal(json['verdict'], 'not enough data');
  assert.deepEqual((json['figures'] as Record<string, unknown>)['mean_ttft_ms'], {
    ...{ a: 100, b: 130, ratio: 1.3 },
  });
});

test('other prompts and models are warnings, another load is an error', () => {
  const other = result('b.json', { mean_ttft_ms: 1, total_input_tokens: 10, model_id: 'n' });
  const { warnings } = compareSummaries(a, other);
  assert.match(
    warnings.join(' '),
    /prompts have 9 tokens in A and 10 in B.*models differ: m and n/,
  );
  assert.throws(
    () => compareSummaries(a, result('b.json', { mean_ttft_ms: 1 }, '8')),
    /a\.json and b\.json are not results of the same load: ".*--request-rate 4" and ".*--request-rate 8"/,
  );
  assert.throws(() => compareSummaries(result('a', {}), a), /no figure in common/);
});
