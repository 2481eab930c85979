import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.ts';
import {
  activeParameters,
  findGpu,
  findModel,
  gpus,
  guessModel,
  kvBlocks,
  kvBytesPerToken,
  kvBytesPerTokenPerGpu,
  type ModelSpec,
  modelOfSize,
  modelParameters,
  models,
} from '../index.ts';

test('finds models by id or short name, in any case, with or without the suffix of a fine-tune', () => {
  for (const name of ['Qwen/Qwen3-8B', 'qwen3-8b', 'QWEN3-8B', 'Qwen/Qwen3-8B-Base']) {
    assert.equal(findModel(name).layers, 36, name);
  }
  assert.equal(
    findModel('meta-llama/Llama-3.1-8B-Instruct').name,
    'meta-llama/Llama-3.1-8B-Instruct',
  );
  assert.equal(findModel('Qwen3-30B-A3B-Instruct-2507').experts?.count, 128);
});

test('copies, distillations and old spellings have the shape of the original model', () => {
  const same = [
    ['meta-llama/Llama-3.1-70B', 'LLAMA3.1_70B', 'nvidia/Llama-3.1-Nemotron-70B-Instruct'],
    ['meta-llama/Llama-3.1-70B', 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B'],
    ['Qwen/Qwen2.5-32B', 'deepseek-ai/DeepSeek-R1-Distill-Qwen-32B', 'Qwen/Qwen2.5-Coder-32B'],
    ['deepseek-ai/DeepSeek-V3', 'deepseek-ai/DeepSeek-V3.1-Terminus', 'DEEPSEEK_V3'],
    ['mistralai/Mixtral-8x7B-v0.1', 'mistralai/Mixtral-8x7B-Instruct-v0.1'],
    ['mistralai/Mistral-7B-v0.3', 'mistralai/Mistral-7B-Instruct-v0.3'],
    ['openai/gpt-oss-120b', 'unsloth/gpt-oss-120b-BF16'],
  ];
  for (const [name, ...others] of same) {
    const expected = findModel(name as string);
    for (const other of others) {
      const { layers, hiddenSize, intermediateSize } = findModel(other);
      assert.deepEqual(
        [layers, hiddenSize, intermediateSize],
        [expected.layers, expected.hiddenSize, expected.intermediateSize],
        other,
      );
    }
  }
});

test('shapes have as many parameters as the checkpoints on Hugging Face', () => {
  // In millions, from the metadata of the safetensors files.
  for (const [name, millions] of [
    ['Qwen/Qwen3-0.6B', 596],
    ['Qwen/Qwen3-4B', 4_022],
    ['Qwen/Qwen3-8B', 8_191],
    ['Qwen/Qwen3-32B', 32_762],
    ['Qwen/Qwen3-30B-A3B', 30_532],
    ['Qwen/Qwen3-235B-A22B', 235_094],
    ['meta-llama/Llama-3.2-1B', 1_236],
    ['meta-llama/Llama-3.2-3B', 3_213],
    ['meta-llama/Llama-3.1-8B', 8_030],
    ['meta-llama/Llama-3.1-70B', 70_554],
    ['mistralai/Mixtral-8x7B-v0.1', 46_703],
  ] as const) {
    const counted = modelParameters(findModel(name)) / 1e6;
    assert.ok(Math.abs(counted / millions - 1) < 0.002, `${name}: ${counted}`);
  }
});

test('guesses a shape from the sizes in a name and models of the same maker and kind', () => {
  for (const [name, like, billions] of [
    // The newest dense model of Qwen, not Gemma 3 27B, which is nearer in size.
    ['Qwen/Qwen3.6-27B', 'Qwen/Qwen3-32B', 27],
    ['google/gemma-4-31b-it', 'google/gemma-3-27b', 31],
    ['team-70b/My-Qwen-34B', 'Qwen/Qwen3-32B', 34],
    ['NousResearch/Hermes-5-Llama-3.1-14B', 'meta-llama/Llama-3.1-8B', 14],
    ['deepseek-ai/DeepSeek-R9-Distill-Llama-60B', 'meta-llama/Llama-3.1-70B', 60],
    ['Qwen/Qwen4-30B-A3B-Instruct', 'Qwen/Qwen3-30B-A3B', 30],
    ['Qwen/Qwen1.5-4B', 'Qwen/Qwen2.5-3B', 4],
  ] as const) {
    const guessed = guessModel(name) as ModelSpec;
    assert.equal(guessed.source, `guessed from its name: the shape of ${like}`);
    assert.ok(Math.abs(modelParameters(guessed) / (billions * 1e9) - 1) < 0.06, name);
  }
});

test('guesses no shape without sizes, of an unknown maker, or of layers that no known model has', () => {
  for (const name of [
    ...['Qwen/Foo', 'Qwen/Qwen-8x7B', 'meta-llama/Llama-17B-16E', 'Qwen/Qwen-4bit', 'Qwen/Qwen2b'],
    ...['a/Foo-34B', 'a/Foo-30B-A3B', 'tiiuae/falcon-180B', 'openai/gpt-oss-60b'],
    ...['nvidia/NVIDIA-Nemotron-Nano-9B-v2', 'nvidia/Nemotron-H-8B', 'a/Mamba-Codestral-7B-v0.1'],
  ]) {
    assert.equal(guessModel(name), undefined, name);
  }
});

test('a size alone has the shape of the nearest model of its kind', () => {
  const parametersOf = (size: string) => modelParameters(modelOfSize(size) as ModelSpec);
  for (const [size, billions] of [
    ['8B', 8],
    ['500M', 0.5],
    ['30b-a3b', 30],
    ['1.1B', 1.1],
  ] as const) {
    assert.ok(Math.abs(parametersOf(size) / (billions * 1e9) - 1) < 0.1, size);
  }
  assert.equal(modelOfSize('30B-A3B')?.experts?.perToken, 8);
  for (const size of ['0B', '8', 'B', '3B-A8B', 'Qwen3-8B']) {
    assert.equal(modelOfSize(size), undefined, size);
  }
});

test('refuses an unknown model or GPU with the most similar known names', () => {
  assert.throws(() => findModel('qwen3-8c'), /did you mean Qwen\/Qwen3-8B, .* or .*\? For another/);
  assert.throws(() => findModel('gpt-17'), InputError);
  assert.throws(() => findModel('gpt-4o'), /did you mean openai\/gpt-oss-20b, /);
  assert.throws(() => findGpu('H10O'), /did you mean H100-80GB\?/);
  assert.throws(() => findGpu('abacus'), /"abacus" is not in the catalogue; known: A100-80GB/);
});

test('finds GPUs by the names of nvidia-smi and other tools', () => {
  for (const [name, known] of [
    ['NVIDIA H100 80GB HBM3', 'H100-80GB'],
    ['h100', 'H100-80GB'],
    ['NVIDIA A100-SXM4-80GB', 'A100-80GB'],
    ['NVIDIA GeForce RTX 4090', 'RTX4090'],
    ['NVIDIA RTX PRO 6000 Blackwell Server Edition', 'RTX-PRO-6000'],
    ['NVIDIA L40S', 'L40S'],
    ['A10G', 'A10'],
    ['NVIDIA A100-SXM4-40GB', 'A100-40GB'],
    ['NVIDIA A100 80GB PCIe', 'A100-PCIe-80GB'],
    ['a100_80gb', 'A100-80GB'],
    ['NVIDIA H100 PCIe', 'H100-PCIe'],
    ['h100_nvl', 'H100-NVL'],
    ['NVIDIA H200 NVL', 'H200-NVL'],
    ['NVIDIA L40S PCIe', 'L40S'],
    ['gb200_nvl72', 'GB200'],
    ['NVIDIA RTX 6000 Ada Generation', 'RTX-6000-Ada'],
    ['cpu', 'CPU'],
  ] as const) {
    assert.equal(findGpu(name).name, known);
  }
  assert.throws(() => findGpu('A100 20GB'), /did you mean A100-[48]0GB/);
});

test('the number of parameters follows from the shape, and matches the model’s name', () => {
  const billions = {
    'qwen3-0.6b': 0.6,
    'qwen3-32b': 32.8,
    'qwen3-30b-a3b': 30.5,
    'llama-3.1-8b': 8.03,
    'llama-3.1-70b': 70.6,
    'gemma-2-9b': 9.24,
    'gemma-2-27b': 27.2,
    'gemma-3-4b': 3.88,
    'gemma-3-12b': 11.8,
    'gemma-3-27b': 27,
    'mixtral-8x7b': 46.7,
    'gpt-oss-120b': 117,
    'qwen2.5-0.5b': 0.494,
    'qwen2.5-1.5b': 1.54,
    'qwen2.5-3b': 3.09,
    'qwen2.5-14b': 14.8,
    'qwen2.5-32b': 32.8,
    'qwen3-coder-480b-a35b': 480,
    'llama-2-7b': 6.74,
    'llama-2-13b': 13.0,
    'llama-2-70b': 69,
    'llama-4-scout-17b-16e': 108,
    'llama-4-maverick-17b-128e': 400,
    'tinyllama-1.1b': 1.1,
    'mixtral-8x22b': 141,
    'mistral-nemo-2407': 12.2,
    'mistral-small-24b-2501': 23.6,
    'mistral-large-2411': 123,
    'phi-4': 14.7,
    'yi-34b': 34.4,
    'codellama-34b': 33.7,
    'granite-3.1-8b': 8.17,
    'gemma-2-2b': 2.61,
    'gemma-3-1b': 1.0,
  };
  for (const [name, expected] of Object.entries(billions)) {
    const actual = modelParameters(findModel(name)) / 1e9;
    assert.ok(Math.abs(actual / expected - 1) < 0.01, `${name}: ${actual}`);
  }
});

test('KV bytes per token match vLLM’s allocation', () => {
  const expected = {
    'qwen3-0.6b': 114_688,
    'llama-3.1-8b': 131_072,
    'llama-3.1-70b': 327_680,
    'qwen3-8b': 147_456,
    'qwen3-32b': 262_144,
    'qwen3-30b-a3b': 98_304,
    'qwen3-235b-a22b': 192_512,
  };
  for (const [name, bytes] of Object.entries(expected)) {
    assert.equal(kvBytesPerToken(findModel(name)), bytes, name);
  }
  // Four KV heads on eight GPUs: each keeps one, so the split stops at four.
  assert.equal(kvBytesPerTokenPerGpu(findModel('qwen3-30b-a3b'), 8), 98_304 / 4);
});

test('KV blocks next to the weights match those of two real engines within 1 %', () => {
  const recorded = kvBlocks(
    { model: findModel('llama-3.1-8b'), gpu: findGpu('rtx4090'), gpuMemoryUtilization: 0.9 },
    { blockSize: 16, maxNumBatchedTokens: 2048, maxNumSeqs: 256 },
  );
  assert.ok(Math.abs(recorded / 2588 - 1) < 0.01, `${recorded}`);
  const published = kvBlocks(
    {
      model: findModel('qwen3-32b'),
      gpu: findGpu('h100'),
      tensorParallelSize: 2,
      gpuMemoryUtilization: 0.65,
    },
    { blockSize: 16, maxNumBatchedTokens: 8192, maxNumSeqs: 1024 },
  );
  assert.ok(Math.abs(published / 9271 - 1) < 0.01, `${published}`);
});

test('every row of the catalogue has a source and plausible values', () => {
  for (const model of models) {
    assert.ok(model.source.startsWith('https://'));
    assert.equal(model.attentionHeads % model.kvHeads, 0, model.name);
  }
  for (const gpu of gpus) {
    assert.ok(gpu.source.length > 10 && gpu.efficiencySource.length > 5, gpu.name);
    for (const share of Object.values(gpu.efficiency)) assert.ok(share > 0.1 && share <= 1);
  }
});

test('the most common models and GPUs are in the catalogue', () => {
  for (const name of [
    ...['Llama-3.1-8B', 'Llama-3.3-70B', 'Qwen3-0.6B', 'Qwen3-4B', 'Qwen3-8B', 'Qwen3-14B'],
    ...['Qwen3-32B', 'Qwen3-30B-A3B', 'Qwen3-235B-A22B', 'Mistral-7B-v0.3', 'gemma-2-9b'],
    ...['gemma-3-27b', 'gpt-oss-20b', 'gpt-oss-120b', 'DeepSeek-V3', 'DeepSeek-R1', 'opt-125m'],
  ]) {
    assert.ok(findModel(name).layers > 0, name);
  }
  for (const name of [
    ...['A100', 'H100', 'H200', 'B200', 'L40S', 'A10', 'RTX 4090', 'RTX PRO 6000', 'CPU'],
  ]) {
    assert.ok(findGpu(name).source.length > 0, name);
  }
});

test('a guess of a tiny model has one layer', () => {
  assert.equal(guessModel('a/Llama-0.001B')?.layers, 1);
});

test('a mixture of experts uses as many parameters per token as its makers say', () => {
  const stated: Readonly<Record<string, number>> = {
    'Qwen/Qwen3-30B-A3B': 3.3,
    'Qwen/Qwen3-235B-A22B': 22,
    'Qwen/Qwen3-Coder-480B-A35B': 35,
    'Qwen/Qwen3-Next-80B-A3B': 3,
    'mistralai/Mixtral-8x7B-v0.1': 12.9,
    'mistralai/Mixtral-8x22B-v0.1': 39,
    'meta-llama/Llama-4-Scout-17B-16E': 17,
    'meta-llama/Llama-4-Maverick-17B-128E': 17,
    'zai-org/GLM-4.5': 32,
    'deepseek-ai/DeepSeek-V3': 37,
    'moonshotai/Kimi-K2': 32,
  };
  for (const [name, billions] of Object.entries(stated)) {
    const active = activeParameters(findModel(name)) / 1e9;
    assert.ok(Math.abs(active / billions - 1) < 0.07, `${name}: ${active}`);
  }
});

test('three models are named for any name; for one that is like none, those of its size, and how to list all', () => {
  const messageFor = (name: string): string => {
    try {
      findModel(name);
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail(name);
  };
  for (const name of ['nosuchmodel', 'zzzzqqqq', 'claude-opus-4', 'my-org/test-model', 'x']) {
    assert.match(
      messageFor(name),
      /not in the catalogue; did you mean \S+, \S+ or \S+\? None is similar; "spillway config models" lists all\./,
    );
  }
  const [, ...sizes] =
    /did you mean \S*?-(\d+)B\S*, \S*?-(\d+)B\S* or \S*?-(\d+)B/i.exec(
      messageFor('nobody/Foo-34B-chat'),
    ) ?? [];
  assert.equal(sizes.length, 3);
  for (const size of sizes) assert.ok(Number(size) >= 30 && Number(size) <= 40, `${sizes}`);
  for (const [name, near] of [
    ['Qwen/Qwen9-8B', 'Qwen/Qwen3-8B'],
    ['llama-9', 'meta-llama/Llama-3-8B'],
    ['mistralai/Foo', 'mistralai/'],
    ['phi-9', 'microsoft/phi-'],
  ] as const) {
    const message = messageFor(name);
    assert.ok(message.includes('did you mean') && message.includes(near), message);
    assert.doesNotMatch(message, /None is similar/);
  }
});
