import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { perRequestLines } from '../simulate-report/index.ts';
import { simulatedRunJson, simulatedRunTable, simulateRun } from './index.ts';

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
const long = file(
  'long.jsonl',
  [0, 1]
    .map((i) =>
      JSON.stringify({
        ...{ timestamp: i * 10_000, input_length: 70, output_length: 4 },
        hash_ids: [0, 1, 2, 3, 4],
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

test('each request has one line with its times and its cached tokens', async () => {
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

test('the number of KV blocks is computed from the GPU’s memory unless it is recorded or given', async () => {
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

test('arguments may be written as on vLLM’s command line', async () => {
  const spelled = await run({
    engine_kwargs: {
      ...{ ...kwargs, 'max-num-batched-tokens': '4k', max_num_seqs: '64', max_model_len: '1K' },
      ...{ enable_prefix_caching: 'false', kv_cache_memory_bytes: '2GiB' },
    },
  });
  const { config } = spelled;
  assert.deepEqual(
    [config.maxNumBatchedTokens, config.maxNumSeqs, config.maxModelLen, config.enablePrefixCaching],
    [4000, 64, 1024, false],
  );
  const auto = await run({ engine_kwargs: { ...kwargs, max_model_len: 'auto' } });
  assert.equal(auto.config.maxModelLen, Math.min(131_072, (auto.config.numGpuBlocks - 1) * 16));
});

test('a recorded number of KV blocks applies only to the settings with which it was recorded', async () => {
  const kv_cache = { num_gpu_blocks: 2600, block_size: 16, gpu_memory_utilization: 0.9 };
  const same = await run({ engine_kwargs: { ...kwargs, block_size: 16 }, kv_cache });
  assert.deepEqual([same.config.numGpuBlocks, same.notes], [2600, []]);
  const other = await run({ engine_kwargs: { ...kwargs, block_size: 32 }, kv_cache });
  assert.equal(other.blocksSource, 'computed');
  assert.match(other.notes.join(), /recorded number of KV blocks belongs to other settings/);
});

test('with fewer blocks than the longest request needs, those that fit are played, with a note', async () => {
  const engine_kwargs = { ...kwargs, max_model_len: 32_768 };
  const { config, notes } = await run({ engine_kwargs }, { numGpuBlocks: 50 });
  assert.equal(config.maxModelLen, 49 * 16);
  assert.match(notes.join(), /KV cache of 784 tokens is smaller than max_model_len 32768/);
});

test('without chunked prefill the default budget holds the longest prompt', async () => {
  const { config } = await run({
    engine_kwargs: {
      ...{ model: 'Qwen/Qwen3-8B', max_model_len: 8192, enable_chunked_prefill: false },
    },
  });
  assert.deepEqual([config.maxNumBatchedTokens, config.enableChunkedPrefill], [8192, false]);
});

test('GPUs that cannot share the heads evenly are refused, as vLLM does', async () => {
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, tensor_parallel_size: 3 } }),
    /Qwen3-8B has 32 attention heads, which 3 GPUs .* cannot share/,
  );
});

test('an argument that the model ignores is named in the notes', async () => {
  const { notes } = await run({
    engine_kwargs: { ...kwargs, speculative_config: { method: 'ngram' }, enforce_eager: true },
  });
  assert.deepEqual(notes, [
    'speculative_config has no effect here: speculative decoding is not modelled.',
    'enforce_eager has no effect here: step times come from the profile, with or without CUDA graphs.',
  ]);
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, kv_cache_dtype: 'int3' } }),
    /engine_kwargs\.kv_cache_dtype is "int3"; it must be one of auto/,
  );
});

test('a run reports whether the engine kept up, and warns if latencies depend on its length', async () => {
  const runs = 'bench/data/vllm-runs/rtx4090-llama31-8b';
  const recorded = await simulateRun({
    ...{ trace: `${runs}.jsonl.gz`, engineArgs: `${runs}.meta.json`, profile, percentiles },
  });
  assert.equal(recorded.verdict, 'OVERLOADED');
  assert.ok(recorded.utilization > 0.99 && recorded.utilization <= 1);
  assert.match(simulatedRunTable(recorded), /^OVERLOADED: engines busy .*\n.*depend on the length/);
  const calm = file(
    'calm.jsonl',
    Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({
        ...{ timestamp: i * 1000, input_length: 32, output_length: 4 },
        hash_ids: [2 * i, 2 * i + 1],
      }),
    ).join('\n'),
  );
  const one = file(
    'one.jsonl',
    '{"timestamp":0,"input_length":5,"output_length":9,"hash_ids":[0]}\n',
  );
  const stable = await run({ engine_kwargs: kwargs }, { trace: calm });
  const json = simulatedRunJson(stable);
  assert.deepEqual([json['verdict'], (json['spillway'] as { notes: [] }).notes], ['STABLE', []]);
  assert.ok(stable.utilization < 0.2);
  const short = simulatedRunTable(await run({ engine_kwargs: kwargs }, { trace: one }));
  assert.match(short, /the run is too short to tell whether the system is stable/);
});

test('cores that share experts run their steps together, and each has a part of the experts', async () => {
  const engine_kwargs = { ...kwargs, model: 'Qwen/Qwen3-30B-A3B-FP8', gpu_memory_utilization: 0.9 };
  const gpu = 'H100';
  const alone = await run({ engine_kwargs }, { gpu });
  const cores = { ...engine_kwargs, data_parallel_size: 2, enable_expert_parallel: true };
  const { result, config } = await run({ engine_kwargs: cores }, { gpu });
  assert.deepEqual(
    result.timings.map(({ engine }) => engine),
    [0, 1, 0, 1],
  );
  // Half the experts, of 29 billion parameters in fp8, leave 14 GB more to the KV cache.
  const more = (config.numGpuBlocks - alone.config.numGpuBlocks) * 16 * 98_304;
  assert.ok(more > 13e9 && more < 15.5e9, `${more}`);
  // All tokens arrive at the ends of common steps.
  const times = (core: number) =>
    new Set(
      result.timings.filter(({ engine }) => engine === core).flatMap((t) => [...t.tokenSeconds]),
    );
  const [first, second] = [times(0), times(1)];
  assert.ok(second.size > 2 && [...second].every((time) => first.has(time)));
});

test('data-parallel engine cores share the requests, each with its own KV cache', async () => {
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

test('an unreadable input is reported in one sentence', async () => {
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
    isInput(/Cannot read the engine arguments .*no such file/),
  );
  await assert.rejects(
    run({ engine_kwargs: kwargs }, { profile: none }),
    isInput(/does not name the GPU .*none; give --gpu/),
  );
  await assert.rejects(
    run({ engine_kwargs: kwargs }, { profile: undefined }),
    isInput(/does not name the GPU .*give --gpu/),
  );
  await assert.rejects(
    run({ engine_kwargs: { ...kwargs, model: 'Qwen/Qwen3-9B' } }),
    isInput(/did you mean/),
  );
  await assert.rejects(run({ engine_kwargs: kwargs }, { trace: none }), isInput(/Cannot read/));
});

test('a table missing in a profile is filled in from the datasheet, with a note', async () => {
  const tables = join(directory, 'RTX4090_gaps_tp1');
  cpSync(profile, tables, { recursive: true });
  rmSync(join(tables, 'per_sequence.csv.gz'));
  const [whole, gaps] = [
    await run({ engine_kwargs: kwargs }),
    await run({ engine_kwargs: kwargs }, { profile: tables }),
  ];
  assert.deepEqual(whole.notes, []);
  assert.match(gaps.notes.join(), /no per_sequence.csv .*computed from the rates of the RTX4090/);
  const tpot = (of: typeof whole) => of.report.fromSent.tpot?.mean ?? NaN;
  assert.ok(Math.abs(tpot(gaps) / tpot(whole) - 1) < 0.03, `${tpot(gaps)} ${tpot(whole)}`);
  const mixture = { ...kwargs, model: 'Qwen/Qwen3-30B-A3B' };
  const { notes } = await run({ engine_kwargs: mixture }, { numGpuBlocks: 9000 });
  assert.match(notes.join(), /no moe.csv \(experts\)/);
});

test('a profile is found in its folder by parallel degree, and scaled to another degree', async () => {
  const root = join(directory, 'RTX4090');
  for (const degree of [1, 4]) {
    cpSync(profile, join(root, 'Llama-3.1-8B', 'bf16', `tp${degree}`), { recursive: true });
  }
  const one = await run({ engine_kwargs: kwargs }, { profile: root });
  assert.deepEqual([one.gpu.name, one.notes], ['RTX4090', []]);
  const two = await run(
    { engine_kwargs: { ...kwargs, tensor_parallel_size: 2 } },
    { profile, allReduceLatencySeconds: 0, allReduceBytesPerSecond: 1e15 },
  );
  assert.match(two.notes.join(), /tensor parallel size 1; it is scaled to 2/);
  const ratio = (two.report.fromSent.tpot?.mean ?? NaN) / (one.report.fromSent.tpot?.mean ?? NaN);
  assert.ok(ratio > 0.5 && ratio < 0.65, `${ratio}`);
});

test('a GPU outside the catalogue is accepted with a profile and its memory', async () => {
  const hardware = { device_name: 'NVIDIA Moonshot X1', device_total_memory_bytes: 40e9 };
  const bare = join(directory, 'tables');
  cpSync(profile, bare, { recursive: true });
  const { gpu, notes } = await run({ engine_kwargs: kwargs, hardware }, { profile: bare });
  assert.deepEqual([gpu.name, gpu.memoryBytes], ['NVIDIA Moonshot X1', 40e9]);
  assert.match(notes.join(), /"NVIDIA Moonshot X1" is not in the catalogue/);
});

test('a quantized copy of a model is the model with smaller weights', async () => {
  const whole = await run({ engine_kwargs: { ...kwargs, model: 'meta-llama/Llama-3.1-8B' } });
  for (const model of ['RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8', '/models/llama-3.1-8b-fp8']) {
    const { config } = await run({ engine_kwargs: { ...kwargs, model } });
    // 7 GB less: everything but embedding and output layer, in blocks of 2 MiB.
    const more = config.numGpuBlocks - whole.config.numGpuBlocks;
    assert.ok(Math.abs(more / 3328 - 1) < 0.01, `${model}: ${more}`);
  }
});

test('blocks of the engine may be twice as large as those of the trace', async () => {
  const { result } = await run({ engine_kwargs: { ...kwargs, block_size: 32 } }, { trace: long });
  assert.deepEqual(
    result.timings.map(({ cachedTokens }) => cachedTokens),
    [0, 64],
  );
});

test('a second pipeline stage halves the weights per GPU, and nearly doubles the throughput', async () => {
  const [one, two] = [
    await run({ engine_kwargs: kwargs }),
    await run({ engine_kwargs: { ...kwargs, pipeline_parallel_size: 2 } }),
  ];
  assert.ok(two.config.numGpuBlocks > 2 * one.config.numGpuBlocks);
  assert.equal(two.config.maxNumBatchedTokens, 2 * one.config.maxNumBatchedTokens);
});

test('one recorded engine reports the tokens that its preemptions cost', async () => {
  const data = join(import.meta.dirname, '../../../bench/data/vllm-runs/rtx4090-llama31-8b');
  const run = await simulateRun({
    ...{ trace: `${data}.jsonl.gz`, engineArgs: `${data}.meta.json`, percentiles: [50] },
  });
  const { recomputed_tokens } = simulatedRunJson(run)['spillway'] as {
    readonly recomputed_tokens: Record<string, number>;
  };
  const { after_preemption = 0, after_eviction, share = 0 } = recomputed_tokens;
  assert.ok(run.result.preemptions > 0);
  assert.ok(after_preemption > 0);
  assert.ok(share > 0 && share < 1);
  assert.equal(after_preemption, run.result.recomputedAfterPreemption);
  assert.equal(after_eviction, run.result.recomputedAfterEviction);
  assert.match(simulatedRunTable(run), /\nRedundant prefill: .* after preemptions\).*\.\n$/);
});
