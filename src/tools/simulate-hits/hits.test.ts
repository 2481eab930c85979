import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hitsJson, simulateHits } from './index.ts';

test('hits have one row per capacity', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-hits-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const trace = join(directory, 'trace.jsonl');
  const rowOf = (hashIds: readonly number[], i: number) =>
    JSON.stringify({
      ...{ timestamp: i * 10, input_length: 32, output_length: 4 - i },
      hash_ids: hashIds,
    });
  writeFileSync(
    trace,
    [
      [0, 1],
      [0, 1],
      [4, 5],
      [6, 7],
    ]
      .map(rowOf)
      .join('\n'),
  );
  const rows = await simulateHits({
    ...{ trace, blockTokens: 16, engines: 1, policy: 'roundrobin' },
    capacities: [1, Number.POSITIVE_INFINITY],
  });
  assert.deepEqual(rows.map(hitsJson), [
    {
      ...{ capacity: 1, engines: 1, policy: 'roundrobin' },
      ...{ block_hit: 0.125, token_hit: 0.125, max_over_mean_computed: 1 },
    },
    {
      ...{ capacity: 'inf', engines: 1, policy: 'roundrobin' },
      ...{ block_hit: 0.25, token_hit: 0.25, max_over_mean_computed: 1 },
    },
  ]);
});
