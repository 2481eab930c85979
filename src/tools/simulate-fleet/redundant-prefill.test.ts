// Redundant prefill in the report of a fleet.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fleetRunJson, fleetRunTable, simulateFleetRun } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'redundant-prefill-'));
after(() => rmSync(folder, { recursive: true }));

/** Prompts of 60 blocks of 512 tokens, one a minute; equal numbers are equal prompts. */
function traceOf(prompts: readonly number[]): string {
  const lines = prompts.map((prompt, i) =>
    JSON.stringify({
      ...{ timestamp: i * 60_000, input_length: 60 * 512, output_length: 4 },
      hash_ids: Array.from({ length: 60 }, (_, block) => prompt * 60 + block),
    }),
  );
  const path = join(folder, `${prompts.length}-${new Set(prompts).size}.jsonl`);
  writeFileSync(path, lines.join('\n'));
  return path;
}

function fleetOn(prompts: readonly number[]) {
  return simulateFleetRun({
    ...{ trace: traceOf(prompts), engines: 1, gpu: 'H100-80GB', model: 'Qwen/Qwen3-8B' },
    ...{ policy: 'roundrobin', speed: 1, seed: 1, percentiles: [50] },
  });
}

const manyPrompts = Array.from({ length: 30 }, (_, i) => i);

test('a fleet reports the prompts that it computed again after they were evicted', async () => {
  // The 30 prompts have 921,600 tokens, more than the KV cache of one engine.
  const run = await fleetOn([...manyPrompts, 0]);
  const { recomputed_tokens, engines } = fleetRunJson(run)['spillway'] as {
    readonly recomputed_tokens: Record<string, number>;
    readonly engines: readonly Record<string, number>[];
  };
  const { after_eviction, after_preemption, share } = recomputed_tokens;
  assert.equal(after_eviction, 60 * 512);
  assert.equal(after_preemption, 0);
  assert.equal(share, 1 / 31);
  assert.equal(engines[0]?.['recomputed_after_eviction_tokens'], 60 * 512);
  assert.match(
    fleetRunTable(run),
    /^Redundant prefill: 30,720 tokens were computed again \(30,720 after evictions, 0 after preemptions\), 3\.2 % of those computed\.$/m,
  );
});

test('a fleet that computes nothing twice has no line about it', async () => {
  const run = await fleetOn([1, 2, 1]);
  assert.doesNotMatch(fleetRunTable(run), /Redundant/);
});
