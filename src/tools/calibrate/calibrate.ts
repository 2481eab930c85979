// `spillway calibrate`: the free constants of one engine, from whatever was measured of it.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeightOf,
  calibrateEngine,
  type EngineCalibration,
  type EngineLayout,
  engineConfigFor,
  engineConstantNames,
  type Measurement,
  metricsMeasurements,
  type PredictionErrors,
  shippedEngineConstants,
} from '../../core/engine/index.ts';
import { readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { benchMeasurements } from './bench-source.ts';
import { readMetricsWindow } from './metrics-source.ts';
import { profileMeasurements, stepMeasurements } from './table-sources.ts';

export interface CalibrateOptions {
  /** Name of the catalogue or folder with config.json. */
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
  /** Results of `vllm bench serve`. */
  readonly bench: readonly string[];
  /** A live engine. */
  readonly metricsUrl?: string | undefined;
  readonly windowSeconds: number;
  readonly intervalSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** The share of the fits that is done. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

export interface Calibration {
  readonly layout: EngineLayout;
  readonly result: EngineCalibration;
  readonly sources: readonly string[];
}

/** Fewer measurements than constants cannot tell them apart. */
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
    sources.push(`${source}: ${found.length} measurements`);
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
        ? 'calibrate needs something measured: --tables, --steps, --bench or --metrics-url.'
        : `There is too little to fit: ${sources.join(', ')}. A live engine needs traffic while its ` +
            'window runs.',
    );
  }
  return { layout, result: calibrateEngine(layout, measurements, options.onProgress), sources };
}

function configOf(options: CalibrateOptions, layout: EngineLayout) {
  const { maxNumSeqs, maxNumBatchedTokens, numGpuBlocks } = options;
  return engineConfigFor(
    { ...layout, ...(numGpuBlocks === undefined ? {} : { numGpuBlocks }) },
    {
      ...(maxNumSeqs === undefined ? {} : { maxNumSeqs }),
      ...(maxNumBatchedTokens === undefined ? {} : { maxNumBatchedTokens }),
    },
  );
}

export function calibrationText({ layout, result, sources }: Calibration): string {
  const { model, gpu, tensorParallelSize } = layout;
  const shipped = shippedEngineConstants(layout);
  const rows = engineConstantNames.map((name) => {
    const isTime = name.endsWith('Seconds') || name.endsWith('PerStep');
    const show = (value: number) => (isTime ? `${(value * 1000).toFixed(3)} ms` : value.toFixed(3));
    const decided = `${(result.decided[name] * 100).toFixed(0)} %`;
    return [name, show(shipped[name]), show(result.constants[name]), decided];
  });
  const line = ([name = '', ...cells]: readonly string[]) =>
    name.padEnd(20) + cells.map((cell) => cell.padStart(14)).join('');
  const errors = (name: string, { count, median, p90, bias }: PredictionErrors) =>
    line([
      name,
      ...[median, p90, bias].map((value) => `${(value * 100).toFixed(1)} %`),
      `${count}`,
    ]);
  return `${[
    `${model.name} on ${tensorParallelSize} × ${gpu.name}`,
    ...sources,
    '',
    line(['constant', 'shipped', 'fitted', 'decided']),
    ...rows.map(line),
    '',
    line(['error', 'median', 'p90', 'bias', 'measurements']),
    errors('as shipped', result.before),
    errors('fitted', result.fitted),
    result.crossValidated
      ? errors('not seen', result.crossValidated)
      : 'one fold: nothing to hold out',
  ].join('\n')}\n`;
}
