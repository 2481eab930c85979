// How a calibration's constants enter the roofline, with made-up constants that are recognisable in products.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from '../catalogue/find-gpu.ts';
import { allReduceLink } from '../catalogue/hosts.ts';
import { findModel } from '../catalogue/models.ts';
import type { WeightPrecision } from '../catalogue/precision.ts';
import {
  calibratedRoofline,
  isMeasuredGpu,
  kernelsOf,
  type PointCalibration,
} from './point-calibration.ts';
import type { RooflineOptions } from './roofline.ts';

const calibration: PointCalibration = {
  ...{ host: 2, layer: 3, 'layer H100-80GB': 5, layerExpert: 7, 'layer moe/fp8': 11 },
  ...{ layerLatent: 13, layerDp: 17, launch: 19, launchMoe: 23, 'launch dense/bf16': 29 },
  ...{ launchLatent: 31, 'matrix dense': 37, 'matrix H100-80GB': 41, 'matrix dense/bf16': 43 },
  ...{ 'weight dense': 47, 'weight H100-80GB': 53, 'weight dense/bf16': 59, attention: 61 },
  ...{ kv: 67, experts: 71, ar0: 73, ar1: 79, 'ar H100-80GB': 83, link: 0.5 },
  ...{ 'ar0 fused': 89, 'ar1 fused': 97, launchGraph: 101, expertRows: 103, float32: 107 },
  hostPrompt: 109,
};

function optionsOf(
  model: string,
  gpu: string,
  precision: WeightPrecision,
  layout: Partial<RooflineOptions> = {},
  constants: PointCalibration = calibration,
) {
  const given = { model: findModel(model), gpu: findGpu(gpu), ...layout };
  return calibratedRoofline(given, precision, constants);
}

test('a dense model has the constants of its GPU and its kernels', () => {
  const { model, gpu, ...options } = optionsOf('Qwen3-8B', 'H100', 'bf16');
  assert.deepEqual([model.name, gpu.name], ['Qwen/Qwen3-8B', 'H100-80GB']);
  assert.deepEqual(options, {
    weightOnly: false,
    hostSecondsPerStep: 2,
    link: { latencySeconds: 89 * 83, bytesPerSecond: 225e9, inSwitchGpusMin: 4 },
    constants: {
      layerSeconds: 3 * 5,
      prefillLayerSeconds: 19 * 29,
      graphLayerSeconds: 101,
      matrix: 37 * 41 * 43,
      attention: 61,
      weightMemory: 47 * 53 * 59,
      kvMemory: 67 * 53,
      expertEvenness: 71,
    },
  });
});

test('experts and groups of data-parallel attention add to a layer, and groups to the all-reduce', () => {
  const layout = { tensorParallelSize: 2, attentionDataParallelSize: 4 };
  const { constants, link } = optionsOf('Qwen3-30B-A3B', 'H100', 'fp8', layout);
  assert.equal(constants?.layerSeconds, 3 * 5 + 8 * 7 * 11 + 17);
  assert.equal(constants?.prefillLayerSeconds, 23);
  assert.equal(link?.latencySeconds, (89 + 97 * 3) * 83);
  assert.equal(constants?.expertRowsAdded, 103);
  const single = optionsOf('Qwen3-30B-A3B', 'H100', 'fp8').constants;
  assert.equal(single?.layerSeconds, 3 * 5 + 8 * 7 * 11);
});

test('a vLLM that does not fuse all-reduces has their own times; one that plans no step ahead waits for prompts', () => {
  const layout = { tensorParallelSize: 4, fusesAllReduce: false, plansAhead: false };
  const old = optionsOf('Qwen3-8B', 'H100', 'bf16', layout);
  assert.equal(old.link?.latencySeconds, (73 + 79 * 2) * 83);
  assert.equal(old.hostSecondsPerPrompt, 109);
  const later = optionsOf('Qwen3-8B', 'H100', 'bf16', { ...layout, plansAhead: true });
  assert.equal(later.hostSecondsPerPrompt, undefined);
});

test('a router of float32 has the rate of float32', () => {
  const rate = (model: string) => optionsOf(model, 'H100', 'fp8').constants?.float32FlopsPerSecond;
  assert.deepEqual([rate('MiniMaxAI/MiniMax-M2.5'), rate('Qwen3-30B-A3B')], [107, undefined]);
});

test('latent attention adds to a layer and multiplies its launches', () => {
  const { constants } = optionsOf('deepseek-ai/DeepSeek-V3', 'H100', 'fp8');
  assert.equal(constants?.layerSeconds, 3 * 5 + 8 * 7 * 11 + 13);
  assert.equal(constants?.prefillLayerSeconds, 23 * 31);
});

test('a GPU that was not measured has the reference’s constants, scaled by their efficiencies', () => {
  assert.equal(isMeasuredGpu(findGpu('H100'), calibration), true);
  assert.equal(isMeasuredGpu(findGpu('B200'), calibration), false);
  const [b200, reference] = [findGpu('B200').efficiency, findGpu('H100').efficiency];
  const { constants, link } = optionsOf('Qwen3-8B', 'B200', 'bf16');
  assert.deepEqual(constants, {
    layerSeconds: 3,
    prefillLayerSeconds: 19 * 29,
    graphLayerSeconds: 101,
    matrix: 37 * 43 * (b200.matrix / reference.matrix),
    attention: 61 * (b200.attention / reference.attention),
    weightMemory: 47 * 59 * (b200.memory / reference.memory),
    kvMemory: 67 * (b200.memory / reference.memory),
    expertEvenness: 71,
  });
  assert.equal(link?.inSwitchGpusMin, 6);
});

test('a GPU without NVLink keeps the catalogue’s link, over all GPUs of the engine', () => {
  const gpu = findGpu('L40S');
  const layout = { tensorParallelSize: 2, attentionDataParallelSize: 2 };
  assert.deepEqual(optionsOf('Qwen3-8B', 'L40S', 'bf16', layout).link, allReduceLink(gpu, 4));
});

test('kernels that widen weights run on a Blackwell GPU as on an H200', () => {
  const measured = {
    ...{ 'matrix B200': 7, 'weight B200': 11, 'matrix H200': 2, 'weight H200': 3 },
  };
  const { constants, weightOnly } = optionsOf('Qwen3-8B', 'B200', 'int4', {}, measured);
  assert.equal(weightOnly, true);
  assert.equal(constants?.matrix, 2 * (989e12 / 2250e12));
  assert.equal(constants?.weightMemory, 3 * (4.8e12 / 7.7e12));
  assert.equal(constants?.kvMemory, 11);
  const direct = optionsOf('Qwen3-8B', 'B200', 'fp4', {}, measured);
  assert.deepEqual([direct.weightOnly, direct.constants?.matrix], [false, 7]);
  const hopper = optionsOf('Qwen3-8B', 'H200', 'int4', {}, measured);
  assert.deepEqual([hopper.constants?.matrix, hopper.constants?.weightMemory], [2, 3]);
});

test('weights are widened that the GPU cannot multiply', () => {
  const kernels = (gpu: string) =>
    (['bf16', 'fp8', 'fp4', 'int4'] as const).map((precision) =>
      kernelsOf(precision, findGpu(gpu)),
    );
  assert.deepEqual(kernels('A100'), ['bf16', 'w8', 'w4', 'w4']);
  assert.deepEqual(kernels('H100'), ['bf16', 'fp8', 'w4', 'w4']);
  assert.deepEqual(kernels('B200'), ['bf16', 'fp8', 'fp4', 'w4']);
  assert.equal(optionsOf('Qwen3-8B', 'A100', 'fp8').weightOnly, true);
});
