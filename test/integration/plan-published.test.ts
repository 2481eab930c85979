// The plan for an experiment that somebody else has made and published: its intervals hold the results,
// as that experiment was run (case 20), and told with the input's plain keys alone. No width is set by
// these results; that llm-d's router can be said at all is (docs/guide/plan).
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
const clients = {
  ...{ concurrency: 45, prefixReuse: 'system-prompt', prefixGroups: 45, outputTokens: answer },
};
const fleet = {
  ...{ engines: 8, gpu: 'H100-80GB', gpusPerEngine: 2, model: 'Qwen/Qwen3-32B' },
  gpuMemoryUtilization: 0.65,
  // vLLM's default for this GPU, with which the experiment was run.
  maxNumSeqs: 1024,
};

const keysOf = (input: Readonly<Record<string, object>>) =>
  Object.entries(input).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]) => ({
      ...{ path: [section, key], value: value as unknown, source: 'test' },
    })),
  );

/** Random tokens as text, read again by the model's tokenizer: see case 20. */
const grown = 1.0531;
const inputs = [
  { told: 'as it was run', seed: 1, tokens: grown, plain: false },
  { told: 'with plain keys', seed: 2, tokens: 1, plain: true },
];
const cases = published.flatMap((one) => inputs.map((input) => ({ ...one, ...input })));

for (const { systemPrompt, none, gains, seed, told, tokens, plain } of cases) {
  test(`16 × H100 with system prompts of ${systemPrompt} tokens ${told}, seed ${seed}: the published figures lie within the intervals`, async () => {
    const lengths = {
      promptTokens: Math.round((systemPrompt + question) * tokens),
      sharedPrefixTokens: Math.round(systemPrompt * tokens),
    };
    const routing = plain ? {} : { routing: 'llm-d' };
    const { impact, layout, offloadGiB } = await makePlan({
      file: undefined,
      overrides: keysOf({
        workload: { ...lengths, ...clients },
        fleet,
        operations: { hostDramGiB: 200, ...routing },
      }),
      ...{ trace: undefined, prometheus: undefined, seed },
    });
    // vLLM itself found 9,271 blocks of 16 tokens; 41,000 blocks of host memory are 160 GiB.
    assert.ok(Math.abs(layout.kvTokens / (9271 * 16) - 1) < 0.01, `${layout.kvTokens}`);
    assert.ok(offloadGiB <= 160);
    const { throughput, ttftMs, e2eMs } = impact.baseline;
    const total = (lengths.promptTokens + answer) / answer;
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
      [ttftMs, plain ? 20 : 5],
    ] as const) {
      assert.ok(high / low < factor, `${low} to ${high}: an interval, not everything`);
    }
    for (const kind of ['native', 'lmcache'] as const) {
      holds(`gain of ${kind}`, impact.gains[kind].throughput, gains[kind]);
      const { low, high } = impact.gains[kind].throughput;
      assert.ok(high - low < (systemPrompt > 8000 ? 0.6 : 0.15), `${low} to ${high}`);
      // As it was run, the interval says that offload pays, or that it does not.
      if (!plain) assert.ok(systemPrompt > 8000 ? low > 0 : high < 0.05, `${low} to ${high}`);
    }
  });
}
