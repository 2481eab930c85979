import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { hitsJson, perRequestLines, simulatedRunJson, simulateHits, simulateRun } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-simulate-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const trace = file(
  'trace.jsonl',
  [0, 1, 2, 3]
    .map((i) =>
      JSON.stringify({
        ...{ timestamp: i * 10, input_length: 32, output_length: 4 - i },
        hash_ids: i < 2 ? [0, 1] : [i * 2, i * 2 + 1],
      }),
    )
    .join('\n'),
);
const kwargs = { model: 'Qwen/Qwen3-8B', max_num_seqs: 8, max_num_batched_tokens: 2048 };
const profile = 'bench/data/vllm-runs/profile/RTX4090_Llama-3.1-8B_tp1';
const percentiles = [50, 90];

function run(meta: unknown, more: Partial<Parameters<typeof simulateRun>[0]> = {}) {
  return simulateRun({ trace, profile, engineArgs: file('meta.json', meta), percentiles, ...more });
}

test('a run has the keys of vllm bench serve, and the same figures each time', async () => {
  const json = simulatedRunJson(await run({ engine_kwargs: kwargs }));
  assert.deepEqual(json, simulatedRunJson(await run({ engine_kwargs: kwargs })));
  for (const key of ['mean_ttft_ms', 'median_tpot_ms', 'std_e2el_ms', 'output_throughput']) {
    assert.equal(typeof json[key], 'number', key);
  }
  assert.deepEqual([json['completed'], json['total_output_tokens']], [4, 10]);
  assert.equal(json['p90_ttft_ms'], null, 'four requests have no p90');
});

test('one line a request tells its times and what it found cached', async () => {
  const { result } = await run({ engine_kwargs: kwargs });
  const lines = perRequestLines(result.timings, 'queued')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | null>);
  assert.deepEqual(
    lines.map(({ output_length, cached_tokens }) => [output_length, cached_tokens]),
    // The second shares both blocks with the first; the last token is always computed.
    [
      [4, 0],
      [3, 16],
      [2, 0],
      [1, 0],
    ],
  );
  assert.equal(lines[3]?.['tpot_ms'], null);
  assert.ok(lines.every((line) => (line['ttft_ms'] ?? 0) > 0));
});

test('KV blocks are computed from the GPU’s memory unless they are recorded or given', async () => {
  const computed = await run({ engine_kwargs: kwargs });
  assert.equal(computed.gpu.name, 'RTX4090', 'from the name of the profile');
  assert.equal(computed.blocksSource, 'computed');
  const kv_cache = { num_gpu_blocks: 2600 };
  const recorded = await run({ engine_kwargs: kwargs, kv_cache, hardware: null });
  assert.deepEqual([recorded.config.numGpuBlocks, recorded.blocksSource], [2600, 'recorded']);
  const given = await run({ engine_kwargs: kwargs, kv_cache }, { numGpuBlocks: 50 });
  assert.deepEqual([given.config.numGpuBlocks, given.blocksSource], [50, 'flag']);
  assert.equal(given.config.maxModelLen, 49 * 16, 'without max_model_len: what fits');
  const hardware = { device_name: 'NVIDIA H100 80GB HBM3', device_total_memory_bytes: 60e9 };
  const other = await run({ engine_kwargs: { ...kwargs, max_model_len: null }, hardware });
  assert.deepEqual([other.gpu.name, other.gpu.memoryBytes], ['H100-80GB', 60e9]);
});

test('data parallel engine cores share the requests, each with a KV cache of its own', async () => {
  const { result } = await run({ engine_kwargs: { ...kwargs, data_parallel_size: 2 } });
  assert.deepEqual(
    result.timings.map(({ engine, cachedTokens }) => [engine, cachedTokens]),
    [
      [0, 0],
      [1, 0],
      [0, 0],
      [1, 0],
    ],
  );
});

test('what cannot be read is one sentence', async () => {
  const isInput = (message: RegExp) => (error: unknown) =>
    error instanceof InputError && message.test(error.message);
  const none = join(directory, 'none');
  await assert.rejects(run({}), isInput(/meta.json: engine_kwargs: .*expected is a meta.json/));
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, max_num_seqs: 0 } }),
    isInput(/engine_kwargs.max_num_seqs/),
  );
  await assert.rejects(run('{', {}), isInput(/Cannot read the engine arguments/));
  await assert.rejects(
    run({}, { engineArgs: none }),
    isInput(/Cannot read the engine arguments .*ENOENT/),
  );
  await assert.rejects(run({ engine_kwargs: kwargs }, { profile: none }), isInput(/"none"/));
  await assert.rejects(
    run({ engine_kwargs: kwargs }, { profile: undefined }),
    isInput(/does not name the GPU .*give --gpu/),
  );
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, model: 'Qwen/Qwen3-9B' } }),
    isInput(/did you mean/),
  );
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, model: 'Qwen/Qwen3-30B-A3B' } }, { numGpuBlocks: 9000 }),
    isInput(/has no moe.csv/),
  );
  await assert.rejects(run({ engine_kwargs: kwargs }, { trace: none }), isInput(/Cannot read/));
});

test('hits are one row for each capacity', async () => {
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
