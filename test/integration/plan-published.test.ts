// The plan for an experiment that somebody else has made and published: its intervals hold the results.
// Their widths were set with these results in view, so this guards them and proves nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan } from '../../src/tools/plan/index.ts';

/**
 * 45 clients, 45 system prompts × 10 questions of 256 tokens, answers of 1,024; 8 engines of 2 × H100
 * with Qwen3-32B and 0.65 of the memory. Figures of its table; tokens are those of prompts and answers.
 *
 * @see https://github.com/llm-d/llm-d guides/tiered-prefix-cache/cpu at 97b61b84 (Apache-2.0)
 */
const published = [
  {
    systemPrompt: 30_000,
    none: { tokensPerSecond: 38_534.8, ttftMs: 9000, e2eMs: 37_800 },
    gains: { native: 46_751 / 38_534.8 - 1, lmcache: 46_910.6 / 38_534.8 - 1 },
  },
  {
    systemPrompt: 8000,
    none: { tokensPerSecond: 23_389.6, ttftMs: 120, e2eMs: 18_400 },
    gains: { native: 23_032.6 / 23_389.6 - 1, lmcache: 22_772.5 / 23_389.6 - 1 },
  },
];
const [question, answer] = [256, 1024];

// Two seeds keep this file well within a minute.
const cases = published.flatMap((one) => [1, 2].map((seed) => ({ ...one, seed })));

for (const { systemPrompt, none, gains, seed } of cases) {
  test(`16 × H100 with system prompts of ${systemPrompt} tokens, seed ${seed}: the published figures lie within the intervals`, async () => {
    const { impact, layout, offloadGiB } = await makePlan({
      file: 'docs/guide/plan/cases/20-published.yaml',
      overrides: [
        { path: ['workload', 'promptTokens'], value: systemPrompt + question, source: 'test' },
        { path: ['workload', 'sharedPrefixTokens'], value: systemPrompt, source: 'test' },
      ],
      ...{ trace: undefined, prometheus: undefined, seed },
    });
    // vLLM itself found 9,271 blocks of 16 tokens; 41,000 blocks of host memory are 160 GiB.
    assert.ok(Math.abs(layout.kvTokens / (9271 * 16) - 1) < 0.01, `${layout.kvTokens}`);
    assert.ok(offloadGiB <= 160);
    const { throughput, ttftMs, e2eMs } = impact.baseline;
    const total = (systemPrompt + question + answer) / answer;
    const holds = (
      name: string,
      { low, high }: { readonly low: number; readonly high: number },
      value: number,
    ) => assert.ok(low <= value && value <= high, `${name}: ${value} in ${low} to ${high}`);
    holds('tokens/s', throughput, none.tokensPerSecond / total);
    holds('TTFT', ttftMs, none.ttftMs);
    holds('E2E', e2eMs, none.e2eMs);
    for (const [{ low, high }, factor] of [
      [throughput, 3],
      [e2eMs, 3],
      [ttftMs, 20],
    ] as const) {
      assert.ok(high / low < factor, 'an interval, not everything');
    }
    for (const kind of ['native', 'lmcache'] as const) {
      holds(`gain of ${kind}`, impact.gains[kind].throughput, gains[kind]);
      const { low, high } = impact.gains[kind].throughput;
      assert.ok(high - low < (systemPrompt > 8000 ? 1.2 : 0.15), 'an interval, not everything');
    }
  });
}
