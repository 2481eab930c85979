import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ModelEntry, resolveValues } from '../values/index.ts';
import { readEntry, readKwargs, readWords } from './read-settings.ts';

/** Text of a flag, and its value in vLLM 0.32; undefined if vLLM refuses it. */
const readable: readonly [text: string, tokens: number | undefined][] = [
  ['8192', 8192],
  ['8k', 8000],
  ['8K', 8192],
  ['25.6k', 25_600],
  ['1M', 1_048_576],
  ['1g', 1e9],
  ['8_192', 8192],
  ['1.5K', undefined],
  ['8KB', undefined],
  ['', undefined],
  ['many', undefined],
  ['0', undefined],
];

test('reads token counts with vLLM’s suffixes, and no others', () => {
  for (const [text, tokens] of readable) {
    const read = () => readWords(['--max-num-batched-tokens', text]).settings.maxNumBatchedTokens;
    if (tokens !== undefined) assert.equal(read(), tokens, text);
    else assert.throws(read, /^InputError: --max-num-batched-tokens (is "|needs)/, text);
  }
  assert.throws(() => readWords(['--max-num-seqs', '1k']), /it must be an integer of at least 1/);
});

test('reads auto and -1 as the automatic context', () => {
  for (const text of ['auto', 'AUTO', '-1']) {
    assert.equal(readWords(['--max-model-len', text]).settings.maxModelLen, 'auto');
  }
});

test('reads flags in every form that vllm serve accepts', () => {
  const forms = [
    ['--tensor-parallel-size', '2', '--no-enable-prefix-caching'],
    ['--tensor-parallel-size=2', '--no-enable-prefix-caching'],
    ['-tp', '2', '--no-enable_prefix_caching'],
    ['-tp=2', '--enable-prefix-caching', '--no_enable_prefix_caching'],
    ['-tp', '4', '--tensor_parallel_size', '2', '--no-enable-prefix-caching'],
  ];
  for (const words of forms) {
    const { settings, unknown } = readWords(words);
    assert.deepEqual(settings, { tensorParallelSize: 2, enablePrefixCaching: false });
    assert.deepEqual(unknown, []);
  }
});

test('reads a list up to the next flag, and uses the last list', () => {
  const words = ['--served-model-name', 'a', 'b', '--seed', '3', '--served-model-name', 'c'];
  assert.deepEqual(readWords(words).settings, { servedModelName: ['c'], seed: 3 });
});

test('reports flags without a row, and keeps their values and the flags after them', () => {
  const { settings, unknown } = readWords(['--magic', '7', '--max-num-seqs', '8', '--no-port']);
  assert.deepEqual(settings, { maxNumSeqs: 8 });
  assert.deepEqual(unknown, ['--magic', '--no-port']);
});

test('refuses a flag without its value, and a switch with one', () => {
  assert.throws(() => readWords(['--dtype', '--seed', '1'], 'x: '), /x: --dtype needs a value/);
  assert.throws(() => readWords(['--enforce-eager=1']), /--enforce-eager takes no value/);
});

test('refuses values that vLLM does not know, and says what is allowed', () => {
  assert.throws(
    () => readEntry(entryOf('{dtype: foo}')),
    /vllmConfig\.dtype of m is "foo"; .*bfloat16/,
  );
  const extra = (args: string) => () => readEntry(entryOf(`{extraArgs: [${args}]}`));
  assert.throws(extra('--kv-cache-dtype, fp4'), /extraArgs of m: --kv-cache-dtype is "fp4"; .*fp8/);
  assert.throws(extra('--gpu-memory-utilization=1.5'), /above 0 and up to 1/);
});

test('extraArgs take precedence over keys, for every setting', () => {
  const keys =
    'tensorParallelSize: 1, pipelineParallelSize: 1, maxModelLen: 4096, dtype: bfloat16, schedulingPolicy: fcfs, enablePrefixCaching: true, seed: 1, blockSize: 16';
  const extra =
    '-tp, "2", -pp=4, --max-model-len, 8K, --dtype=float32, --scheduling-policy, priority, --no-enable-prefix-caching, --seed=2, --block-size, "32"';
  const { settings, sources } = readEntry(entryOf(`{${keys}, extraArgs: [${extra}]}`));
  assert.deepEqual(settings, {
    ...{ model: 'org/m', tensorParallelSize: 2, pipelineParallelSize: 4, maxModelLen: 8192 },
    ...{ dtype: 'float32', schedulingPolicy: 'priority', enablePrefixCaching: false },
    ...{ seed: 2, blockSize: 32 },
  });
  assert.equal(sources.get('maxModelLen'), '--max-model-len');
  assert.equal(sources.get('model'), 'modelURL');
});

test('the chart switches prefix caching off unless vllmConfig sets it', () => {
  assert.equal(readEntry(entryOf('{seed: 1}')).settings.enablePrefixCaching, false);
  assert.equal(readEntry(entryOf(undefined)).settings.enablePrefixCaching, undefined);
});

test('a flag, a key and a kwarg of the same value are the same setting', () => {
  const number = fc.integer({ min: 2, max: 1e6 });
  fc.assert(
    fc.property(number, number, fc.boolean(), (blocks, tokens, caching) => {
      const words = [
        ...['--num-gpu-blocks-override', `${blocks}`, `--max-num-batched-tokens=${tokens}`],
        caching ? '--enable-prefix-caching' : '--no-enable-prefix-caching',
      ];
      const { settings } = readWords(words);
      const keys = `{numGpuBlocksOverride: ${blocks}, maxNumBatchedTokens: ${tokens}, enablePrefixCaching: ${caching}}`;
      const { model: _, ...ofKeys } = readEntry(entryOf(keys)).settings;
      assert.deepEqual(ofKeys, settings);
      const kwargs = {
        num_gpu_blocks_override: blocks,
        max_num_batched_tokens: String(tokens),
        enable_prefix_caching: caching,
        max_num_seqs: null,
      };
      assert.deepEqual(readKwargs(kwargs, '', 'recorded').settings, settings);
    }),
  );
});

function entryOf(vllmConfig: string | undefined): ModelEntry {
  const config = vllmConfig === undefined ? '' : `, vllmConfig: ${vllmConfig}`;
  const text = `servingEngineSpec: {modelSpec: [{name: m, modelURL: org/m${config}}]}`;
  const { values } = resolveValues({ files: [{ name: 'test.yaml', text }] });
  return values.servingEngineSpec.modelSpec[0] as ModelEntry;
}

test('a switch takes true and false, and no other value', () => {
  assert.equal(readWords(['--enable-chunked-prefill=False']).settings.enableChunkedPrefill, false);
  assert.equal(
    readWords(['--no-enable-chunked-prefill=true']).settings.enableChunkedPrefill,
    false,
  );
  assert.equal(readWords(['--enable-chunked-prefill=True']).settings.enableChunkedPrefill, true);
  const { settings, stray } = readWords(['--enable-chunked-prefill', 'False', '--seed', '1']);
  assert.deepEqual([settings.enableChunkedPrefill, settings.seed, stray], [false, 1, []]);
  assert.throws(() => readWords(['--enable-chunked-prefill=1']), /takes no value/);
});
