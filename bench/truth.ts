// Compares the engine model's predictions with recorded runs of a real vLLM.
//
//   npm run bench:truth [-- DIRECTORY] [-- --fit]
//
// DIRECTORY contains runs and profiles like bench/data/vllm-runs, which is the default. After them
// come the measured points of bench/data/vllm-measured-points.csv and, in a separate table, those of a
// small model in vllm-measured-points-small.csv. Exits with 1 if the error of a mean exceeds its bound.
// `--fit` prints only the constants that the points yield.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { latencyNames } from '../src/core/stats/index.ts';
import { readAllPoints } from '../src/tools/simulate-points/index.ts';
import {
  type Comparison,
  compareRun,
  meanErrors,
  outputRate,
  truthCases,
} from './truth/compare.ts';
import { drawCurves } from './truth/curves.ts';
import { fitFromStart, pointsReport } from './truth/points.ts';

const data = join(import.meta.dirname, 'data');
const points = await readAllPoints(join(data, 'vllm-measured-points.csv'));
const smallModel = await readAllPoints(join(data, 'vllm-measured-points-small.csv'));
if (process.argv.includes('--fit')) {
  console.log(fitFromStart([...points, ...smallModel]));
  process.exit();
}
const given = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const directory = given ?? join(import.meta.dirname, 'data', 'vllm-runs');
let missed = false;
for (const truthCase of truthCases(directory)) {
  const comparison = await compareRun(truthCase);
  console.log(report(comparison));
  const { svg, errors: distances, shiftSeconds } = await drawCurves(comparison);
  const curves = Object.entries(distances).map(
    ([name, error]) => `${name} ${error === undefined ? 'not recorded' : error.toFixed(1)}`,
  );
  console.log(
    `curves: mean distance each second ${curves.join(', ')} (clock shifted by ${shiftSeconds} s)`,
  );
  if (given === undefined) {
    writeFileSync(join(import.meta.dirname, '../docs/images', `truth-${truthCase.name}.svg`), svg);
  }
  for (const [stepCost, name] of [
    ['roofline', 'with the roofline instead of the profile'],
    ['calibrated', 'with the calibrated roofline, the default'],
  ] as const) {
    const options = { profile: undefined, gpu: truthCase.gpu, stepCost };
    const errors = meanErrors(await compareRun(truthCase, options));
    const parts = Object.entries(errors).map(
      ([metric, error]) => `${metric.toUpperCase()} ${(error * 100).toFixed(1)} %`,
    );
    console.log(`${name}: means ${parts.join(', ')}`);
  }
  console.log('');
  missed ||= Object.values(meanErrors(comparison)).some(
    (error) => Math.abs(error) > truthCase.errorMax,
  );
}
console.log(pointsReport(points, smallModel));
process.exitCode = missed ? 1 : 0;

function report({ truthCase, run, predicted, real }: Comparison): string {
  const { args, gpu, config, host, result, blocksSource } = run;
  const { hostSecondsPerStep, link } = host;
  const constants = [
    `host ${(hostSecondsPerStep * 1000).toFixed(1)} ms a step`,
    link?.measured && 'all-reduce as NCCL measures it',
    link &&
      link.measured === undefined &&
      `all-reduce ${(link.latencySeconds * 1e6).toFixed(0)} µs + bytes / ${link.bytesPerSecond / 1e9} GB/s`,
  ].filter(Boolean);
  const rows = latencyNames
    .filter((name) => name !== 'itl')
    .flatMap((name) => {
      const [ours, theirs] = [predicted.fromSent[name], real.fromSent[name]];
      if (ours === undefined || theirs === undefined) return [];
      const title = name === 'e2el' ? 'E2E' : name.toUpperCase();
      return [
        row(`${title} mean, ms`, ours.mean, theirs.mean),
        ...ours.percentiles.map(({ q, value }, i) =>
          row(`${title} p${q}, ms`, value ?? NaN, theirs.percentiles[i]?.value ?? NaN),
        ),
      ];
    });
  return [
    `${truthCase.name}: ${result.timings.length} requests, ${args.model} on ${args.settings.tensorParallelSize ?? 1} × ${gpu.name}, ${config.numGpuBlocks} blocks (${blocksSource})`,
    `constants: ${constants.join(', ')}`,
    `${'metric'.padEnd(16)}${'predicted'.padStart(12)}${'real'.padStart(12)}${'error'.padStart(9)}`,
    ...rows,
    row('output tok/s', outputRate(predicted), outputRate(real)),
    `${result.steps} steps, ${result.preemptions} preemptions; bound on the means ±${truthCase.errorMax * 100} %`,
  ].join('\n');
}

function row(name: string, predicted: number, real: number): string {
  const digits = real < 1000 ? 2 : 0;
  const error = `${((predicted / real - 1) * 100).toFixed(2)} %`;
  return `${name.padEnd(16)}${predicted.toFixed(digits).padStart(12)}${real.toFixed(digits).padStart(12)}${error.padStart(9)}`;
}
