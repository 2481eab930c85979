// `spillway calibrate`: fits the free constants of one engine to measurements of it.

import { counted, InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  calibrateEngine,
  type EngineCalibration,
  engineConstantNames,
  type MeasuredLayout,
  type Measurement,
  metricsMeasurements,
  type PredictionErrors,
  shippedEngineConstants,
} from '../../core/engine/index.ts';
import { sizeEngine } from '../../core/sizing/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { percent, textTable } from '../report/index.ts';
import { benchMeasurements } from './bench-source.ts';
import { readMetricsWindow } from './metrics-source.ts';
import { profileMeasurements, stepMeasurements } from './table-sources.ts';

export interface CalibrateOptions {
  /** Catalogue name, or a folder with config.json. */
  readonly model: string;
  readonly gpu: string;
  readonly tensorParallelSize: number;
  readonly maxNumSeqs?: number | undefined;
  readonly maxNumBatchedTokens?: number | undefined;
  readonly numGpuBlocks?: number | undefined;
  /** Directory of step tables. */
  readonly tables?: string | undefined;
  /** CSV of whole steps. */
  readonly steps?: string | undefined;
  /** Files with results of `vllm bench serve`. */
  readonly bench: readonly string[];
  /** URL of a live engine. */
  readonly metricsUrl?: string | undefined;
  readonly windowSeconds: number;
  readonly intervalSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Receives the share of the fits that is complete. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

export interface Calibration {
  readonly layout: MeasuredLayout;
  readonly result: EngineCalibration;
  readonly sources: readonly string[];
}

/** Minimum number of measurements for a fit. */
const measurementsMin = 2;

/** @throws {InputError} If a source is bad, or all of them say too little. */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { tables, steps, bench, metricsUrl, tensorParallelSize } = options;
  const model = readModelSpec(options.model);
  const weightBytesPerValue = bytesPerWeightOf(model);
  const layout = {
    model,
    gpu: await readGpuSpec(options.gpu),
    tensorParallelSize,
    weightBytesPerValue,
  };
  const measurements: Measurement[] = [];
  const sources: string[] = [];
  const take = (source: string, found: readonly Measurement[]) => {
    measurements.push(...found);
    sources.push(`${source}: ${counted(found.length, 'measurement')}`);
  };
  if (tables !== undefined) take(tables, await profileMeasurements(tables, layout));
  if (steps !== undefined) take(steps, await stepMeasurements(steps));
  if (bench.length > 0 || metricsUrl !== undefined) {
    const config = configOf(options, layout);
    for (const file of bench) take(file, await benchMeasurements(file, config));
    if (metricsUrl !== undefined) {
      const readings = await readMetricsWindow({ ...options, url: metricsUrl });
      take(metricsUrl, metricsMeasurements(readings, config.maxNumBatchedTokens));
    }
  }
  if (measurements.length < measurementsMin) {
    throw new InputError(
      sources.length === 0
        ? 'calibrate needs measurements: --tables, --steps, --bench or --metrics-url.'
        : `Not enough data to fit: ${sources.join(', ')}. A live engine needs traffic while its ` +
            'window runs.',
    );
  }
  const result = await interruptible(
    () => calibrateEngine(layout, measurements, options.onProgress),
    options.signal,
  );
  return { layout, result, sources };
}

function configOf(options: CalibrateOptions, layout: MeasuredLayout) {
  const { maxNumSeqs, maxNumBatchedTokens, numGpuBlocks } = options;
  const scheduler = { maxNumSeqs, maxNumBatchedTokens };
  return sizeEngine({ ...layout, numGpuBlocks, scheduler }).config;
}

/** A 90th percentile of the error above this makes a profile useless, even with a good median. */
const hopelessError = 1;

/**
 * Says by how much the fit is worse than the shipped constants on measurements that it did not see.
 *
 * @returns One sentence; undefined if the fit is not worse, or nothing was held out.
 */
export function worseText({ result }: Calibration): string | undefined {
  const { before, crossValidated: held } = result;
  if (held === undefined) return undefined;
  const isHopeless = held.p90 > before.p90 && held.p90 > hopelessError;
  if (held.median <= before.median && !isHopeless) return undefined;
  return (
    'The fit is worse than the shipped constants: on measurements that it did not see, its median error is ' +
    `${percent(held.median)} and theirs ${percent(before.median)} (90th percentile ${percent(held.p90)} and ${percent(before.p90)}).`
  );
}

export function calibrationText({ layout, result, sources }: Calibration): string {
  const { model, gpu, tensorParallelSize } = layout;
  const shipped = shippedEngineConstants(layout);
  const rows = engineConstantNames.map((name) => {
    const isTime = name.endsWith('Seconds') || name.endsWith('PerStep');
    const show = (value: number) => (isTime ? `${(value * 1000).toFixed(3)} ms` : value.toFixed(3));
    return [
      name,
      show(shipped[name]),
      show(result.constants[name]),
      percent(result.decided[name], 0),
    ];
  });
  const errors = (name: string, { count, median, p90, bias }: PredictionErrors) => [
    name,
    ...[median, p90, bias].map((value) => percent(value)),
    `${count}`,
  ];
  const held = result.crossValidated;
  const table = (head: readonly string[], lines: readonly (readonly string[])[]) =>
    textTable({ head, rows: lines }, { gap: 1, widthsMin: [20, 13] });
  return `${[
    `${model.name} on ${tensorParallelSize} × ${gpu.name}`,
    ...sources,
    '',
    table(['constant', 'shipped', 'fitted', 'decided'], rows),
    '',
    table(
      ['error', 'median', 'p90', 'bias', 'measurements'],
      [
        errors('as shipped', result.before),
        errors('fitted', result.fitted),
        ...(held ? [errors('not seen', held)] : []),
      ],
    ),
    ...(held ? [] : ['one fold: no held-out measurements']),
  ].join('\n')}\n`;
}
