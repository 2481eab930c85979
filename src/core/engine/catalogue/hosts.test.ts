import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interpolate } from '../cost/interpolation.ts';
import { findGpu } from './find-gpu.ts';
import { hostLink } from './host-links.ts';
import { allReduceLink, hostConstants } from './hosts.ts';

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) / expected - 1) < 1e-9, `${actual}, not ${expected}`);

test('the start time of an all-reduce grows with each doubling of the GPUs, and its rate is the share that the link reaches', () => {
  const h100 = findGpu('H100');
  const latencies = [2, 4, 8].map((gpus) => allReduceLink(h100, gpus).latencySeconds);
  for (const [i, microseconds] of [12.5, 19.5, 26.5].entries()) {
    near(latencies[i], microseconds / 1e6);
  }
  near(allReduceLink(h100, 2).bytesPerSecond, h100.link.bytesPerSecond * h100.efficiency.link);
  near(allReduceLink(findGpu('L40S'), 2).latencySeconds, 36e-6);
});

test('measured all-reduces of two GPUs are shifted for each further doubling', () => {
  const gpu = findGpu('RTX-PRO-6000');
  const seconds = (gpus: number) => {
    const { measured } = allReduceLink(gpu, gpus);
    return measured && interpolate(measured, 10_240);
  };
  near(seconds(2), 36.19e-6);
  near(seconds(4), (36.19 + 7) / 1e6);
  near(seconds(8), (36.19 + 14) / 1e6);
  assert.equal(allReduceLink(findGpu('H100'), 2).measured, undefined);
});

test('one GPU has no link, and a host without a recorded run uses the roofline’s time', () => {
  assert.deepEqual(hostConstants(findGpu('H100'), 1), {
    hostSecondsPerStep: 0.6e-3,
    link: undefined,
  });
  assert.equal(hostConstants(findGpu('RTX4090'), 1).hostSecondsPerStep, 0);
  assert.equal(hostConstants(findGpu('RTX-PRO-6000'), 1).hostSecondsPerStep, 1.8e-3);
  assert.deepEqual(hostConstants(findGpu('H100'), 2).link, allReduceLink(findGpu('H100'), 2));
});

test('copies to host memory use the GPU’s PCIe generation; a CPU copies within its memory', () => {
  assert.deepEqual(hostLink(findGpu('H100')), { bytesPerSecond: 50e9 });
  assert.deepEqual(hostLink(findGpu('L40S')), { bytesPerSecond: 25e9 });
  const cpu = { ...findGpu('H100'), memoryBytes: undefined, memoryBytesPerSecond: 80e9 };
  assert.deepEqual(hostLink(cpu), { bytesPerSecond: 40e9 });
});
