// The engines that a values file asks for, without running them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { stackOf } from './stack-engines.ts';

const valuesOf = (text: string, sets: readonly string[] = []) =>
  resolveValues({ files: [{ name: 'v.yaml', text }], sets }).values;

type StackOptions = NonNullable<Parameters<typeof stackOf>[1]>;

/** The stack of these entries, each in braces. */
const stackFor = (entries: readonly string[], options?: StackOptions) =>
  stackOf(valuesOf(`servingEngineSpec: {modelSpec: [${entries.join(', ')}]}`), options);

const qwen = 'name: qwen, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB';

test('each replica is an engine, numbered where an entry has several', async () => {
  const { engines, pools, notes } = await stackFor([
    `{${qwen}, replicaCount: 2}`,
    '{name: small, modelURL: Qwen/Qwen3-8B, gpu: L4, vllmConfig: {maxModelLen: 8192}}',
  ]);
  assert.deepEqual(
    engines.map(({ name, gpu }) => [name, gpu.name]),
    [
      ['qwen-1', 'H100-80GB'],
      ['qwen-2', 'H100-80GB'],
      ['small', 'L4'],
    ],
  );
  assert.deepEqual([pools, notes], [undefined, []]);
});

test('data-parallel cores are separate engines, and a note says so', async () => {
  const parallel = '--data-parallel-size=2, --enforce-eager';
  const { engines, notes } = await stackFor([
    `{${qwen}, replicaCount: 2, vllmConfig: {extraArgs: [${parallel}]}}`,
  ]);
  assert.deepEqual(
    engines.map(({ name }) => name),
    ['qwen-1', 'qwen-2', 'qwen-3', 'qwen-4'],
  );
  assert.deepEqual(notes, [
    'qwen: --enforce-eager has no effect here: step times come from the profile, with or without CUDA graphs.',
    'The 2 data-parallel cores of qwen count as separate engines, among which the router picks.',
  ]);
  await assert.rejects(
    stackFor([`{${qwen}, vllmConfig: {extraArgs: [--data-parallel-size=1.5]}}`]),
    /--data-parallel-size is "1.5"; it must be an integer of at least 1/,
  );
});

test('an entry without a model or a GPU gets defaults, and a note about the GPU', async () => {
  const { engines, notes } = await stackFor(['{name: bare}']);
  assert.deepEqual([engines[0]?.model.name, engines[0]?.gpu.name], ['Qwen/Qwen3-8B', 'H100-80GB']);
  assert.deepEqual(notes, ['bare has no gpu; H100-80GB is assumed.']);
});

test('a values file without engines is refused', async () => {
  const none = /there is no engine to simulate: give servingEngineSpec\.modelSpec an enabled entry/;
  await assert.rejects(stackFor([]), none);
  await assert.rejects(stackFor([`{${qwen}, enabled: false}`]), none);
  const off = `servingEngineSpec: {enableEngine: false, modelSpec: [{${qwen}}]}`;
  await assert.rejects(stackOf(valuesOf(off)), none);
  await assert.rejects(
    stackFor([`{${qwen}, replicaCount: 0}`]),
    /replicaCount is 0: there is no engine to simulate/,
  );
});

test('more engines than a simulation holds are refused, counted over all entries', async () => {
  const entry = (name: string, replicas: number) =>
    `{name: ${name}, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB, replicaCount: ${replicas}}`;
  await assert.rejects(stackFor([entry('a', 10_001)]), /10001 engines exceed .* at most 10000/);
  const both = [entry('a', 6000), entry('b', 4001)];
  await assert.rejects(stackFor(both), /10001 engines exceed/);
});

test('engines of one of several models are chosen by its name or its URL', async () => {
  const entries = [
    `{${qwen}}`,
    '{name: tiny, modelURL: Qwen/Qwen3-0.6B, gpu: L4}',
    '{name: idle, modelURL: Qwen/Qwen3-4B, gpu: L4, enabled: false}',
    '{name: bare, gpu: L4, vllmConfig: {maxModelLen: 8192}}',
  ];
  const namesFor = async (model?: string) =>
    (await stackFor(entries, { model })).engines.map(({ name }) => name);
  assert.deepEqual(await namesFor('Qwen/Qwen3-0.6B'), ['tiny']);
  assert.deepEqual(await namesFor('tiny'), ['tiny']);
  assert.deepEqual(await namesFor('bare'), ['bare']);
  await assert.rejects(namesFor('other'), {
    name: 'InputError',
    message:
      'No engine of these values serves other; they serve Qwen/Qwen3-8B, Qwen/Qwen3-0.6B, bare.',
  });
  await assert.rejects(
    namesFor(),
    /serve Qwen\/Qwen3-8B and Qwen\/Qwen3-0.6B and bare; select the model of the requests/,
  );
  await assert.rejects(
    stackFor(['{name: a, gpu: H100}', '{name: b, gpu: H100}']),
    /serve a and b; select the model of the requests with --model\./,
  );
});

test('an engine at a URL is refused, unless its entry is disabled', async () => {
  const far = 'name: far, urls: [http://127.0.0.1:9]';
  await assert.rejects(
    stackFor([`{${qwen}}`, `{${far}}`]),
    /modelSpec "far" is an engine at a URL with unknown settings/,
  );
  assert.equal((await stackFor([`{${qwen}}`, `{${far}, enabled: false}`])).engines.length, 1);
});

const profile = 'bench/data/vllm-runs/profile/RTX4090_Llama-3.1-8B_tp1';

test('a profile of the entry sets the step times, and one that is given overrides it', async () => {
  const llama =
    'name: l, modelURL: meta-llama/Llama-3.1-8B, gpu: RTX4090, vllmConfig: {numGpuBlocksOverride: 1100}';
  const decodeSeconds = async (entry: string, options?: StackOptions) => {
    const { engines } = await stackFor([`{${entry}}`], options);
    return engines[0]?.cost.stepSeconds({
      ...{ sequences: 8, tokens: 8, decodeSequences: 8, decodeContextTokens: 8000 },
      ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
    });
  };
  const measured = await decodeSeconds(`${llama}, profile: ${profile}`);
  const roofline = await decodeSeconds(llama);
  assert.notEqual(measured, roofline);
  assert.equal(await decodeSeconds(llama, { profile }), measured);
  assert.notEqual(await decodeSeconds(llama, { stepCost: 'roofline' }), roofline);
  await assert.rejects(
    decodeSeconds(`${llama}, profile: ${profile}`, { profile: 'none-such' }),
    /none-such: no such file/,
  );
});

test('notes about the size of an engine have the name of its entry', async () => {
  const { notes } = await stackFor([`{${qwen}, vllmConfig: {numGpuBlocksOverride: 1000}}`]);
  assert.deepEqual(notes, [
    'qwen: max_model_len is 15984, not the 40960 of Qwen/Qwen3-8B, because the KV cache holds no more tokens; vLLM would not start, so set it to auto or to 15984 at most.',
  ]);
});

test('notes come in the order of the entries: arguments, the GPU, sizes; then the options', async () => {
  const { notes } = await stackFor(
    [
      '{name: a, modelURL: Qwen/Qwen3-8B, vllmConfig: {numGpuBlocksOverride: 1000, extraArgs: [--magic]}}',
      '{name: b, modelURL: Qwen/Qwen3-8B, vllmConfig: {extraArgs: [--magic]}}',
    ],
    { outage: { fromSeconds: 0, untilSeconds: 1 } },
  );
  assert.deepEqual(
    notes.map((note) => note.split(/ (?:is|has) /)[0]),
    ['a: --magic', 'a', 'a: max_model_len', 'b: --magic', 'b', '--lose-store'],
  );
});

test('the loss of a store that no engine has is reported as without effect', async () => {
  const outage = { fromSeconds: 0, untilSeconds: 1e9 };
  const text = (config: string, rest = '') =>
    `servingEngineSpec: {modelSpec: [{${qwen}, ${config}}]}\n${rest}`;
  const native = text('vllmConfig: {extraArgs: [--kv-offloading-size=40]}');
  const note =
    '--lose-store has no effect: these engines share no store (LMCache with cacheserverSpec.enabled).';
  assert.deepEqual((await stackOf(valuesOf(native), { outage })).notes, [note]);
  assert.deepEqual((await stackOf(valuesOf(native))).notes, []);
  const lmcache = 'lmcacheConfig: {enabled: true, cpuOffloadingBufferSize: 4}';
  const sharing = text(lmcache, 'cacheserverSpec: {enabled: true}');
  assert.deepEqual((await stackOf(valuesOf(sharing), { outage })).notes, []);
});

test('flags of vLLM that size an engine count in extraArgs, too, over the keys of the chart', async () => {
  const engineWith = async (flag: string, keys = 'numGpuBlocksOverride: 2000, ') => {
    const config = `${keys}maxModelLen: 16384, extraArgs: ["${flag}"]`;
    const { engines, notes } = await stackFor([`{${qwen}, vllmConfig: {${config}}}`]);
    assert.deepEqual(notes, []);
    return engines[0] ?? assert.fail();
  };
  const blocks = await engineWith('--num-gpu-blocks-override=1500');
  assert.equal(blocks.config.numGpuBlocks, 1500);
  assert.equal((await engineWith('--tensor-parallel-size=2')).tensorParallelSize, 2);
  const { kvTokens: half } = await engineWith('--gpu-memory-utilization=0.5', '');
  const { kvTokens: most } = await engineWith('--block-size=16', '');
  assert.ok(half > 0 && half < most / 2, `${half} of ${most}`);
});

/** A key, the flag of the same meaning, and another value of the key. */
const keysAndFlags: readonly (readonly [key: string, words: string, other: string])[] = [
  ['maxModelLen: 8192', '--max-model-len, 8K', 'maxModelLen: 4096'],
  ['schedulingPolicy: priority', '--scheduling-policy=priority', 'schedulingPolicy: fcfs'],
  ['dtype: float32', '--dtype, float32', 'dtype: bfloat16'],
  ['tensorParallelSize: 2', '-tp, "2"', 'tensorParallelSize: 4'],
  ['pipelineParallelSize: 2', '-pp=2', 'pipelineParallelSize: 4'],
  ['maxNumBatchedTokens: 4000', '--max_num_batched_tokens, 4k', 'maxNumBatchedTokens: 512'],
  ['maxNumSeqs: 7', '--max-num-seqs, "9", --max-num-seqs, "7"', 'maxNumSeqs: 8'],
  ['blockSize: 32', '--block-size=32', 'blockSize: 64'],
  ['gpuMemoryUtilization: 0.6', '--gpu-memory-utilization, "0.6"', 'gpuMemoryUtilization: 0.7'],
  ['enablePrefixCaching: true', '--enable-prefix-caching', 'enablePrefixCaching: false'],
  ['enableChunkedPrefill: true', '--enable_chunked_prefill', 'enableChunkedPrefill: false'],
  ['numGpuBlocksOverride: 1500', '--num-gpu-blocks-override=1500', 'numGpuBlocksOverride: 1600'],
];

test('a key and its flag in extraArgs make the same engine, and the flag wins', async () => {
  const engine = async (config: string) => {
    const entry = `{${qwen}, raySpec: {enabled: true}, vllmConfig: {${config}}}`;
    const { engines } = await stackFor([entry]);
    const {
      config: settings,
      kvTokens,
      tensorParallelSize,
      pipelineParallelSize,
    } = engines[0] ?? assert.fail();
    return { settings, kvTokens, tensorParallelSize, pipelineParallelSize };
  };
  for (const [key, words, other] of keysAndFlags) {
    const ofKey = await engine(key);
    assert.deepEqual(await engine(`${other}, extraArgs: [${words}]`), ofKey, words);
    assert.notDeepEqual(await engine(other), ofKey, key);
  }
});

test('a context beyond the model’s needs the variable of vLLM that allows it', async () => {
  const long = (env: string) => stackFor([`{${qwen}, ${env}vllmConfig: {maxModelLen: 100000}}`]);
  await assert.rejects(long(''), { name: 'InputError' });
  const allowed = 'env: [{name: VLLM_ALLOW_LONG_MAX_MODEL_LEN, value: "1"}], ';
  assert.equal((await long(allowed)).engines[0]?.config.maxModelLen, 100_000);
});

test('what a simulation leaves out is named with the reason', async () => {
  const { notes } = await stackFor([
    `{${qwen}, lmcacheConfig: {enableNixl: true}, requestCPU: 4, enableTool: true, toolCallParser: hermes,
      vllmConfig: {runner: generate, v1: 1, extraArgs: [--enforce-eager, --api-key, k, --magic]}}`,
  ]);
  assert.deepEqual(notes, [
    'qwen: vllmConfig.runner has no effect here: only text generation is simulated.',
    'qwen: --enforce-eager has no effect here: step times come from the profile, with or without CUDA graphs.',
    'qwen: --api-key has no effect here: a simulation has no HTTP server.',
    'qwen: lmcacheConfig.enableNixl has no effect here: it is not simulated.',
    'qwen: --magic is not a known flag of vLLM 0.32.',
  ]);
});

test('two pipeline stages hold more than twice the KV cache, and two batches', async () => {
  const engineWith = async (args: string) =>
    (await stackFor([`{${qwen}, vllmConfig: {${args}}}`])).engines[0] ?? assert.fail();
  const whole = await engineWith('');
  const staged = await engineWith('extraArgs: [--pipeline-parallel-size=2]');
  // 16 GB of weights on two GPUs, and twice the memory for KV.
  assert.ok(staged.kvTokens > 2 * whole.kvTokens && staged.kvTokens < 2.5 * whole.kvTokens);
  assert.equal(staged.config.maxNumBatchedTokens, 2 * whole.config.maxNumBatchedTokens);
});
