// Plots the engine model and the real engine per second: running, waiting, KV cache.
import { readFileSync } from 'node:fs';
import { numberInCell, selectColumns } from '../../src/core/base/index.ts';
import type { RunSample } from '../../src/core/simulation/index.ts';
import { parseCsv } from '../../src/io/csv/index.ts';
import { lineDrawing, type Point, pictureFile } from '../../src/tools/report/index.ts';
import type { Comparison } from './compare.ts';

/** One line of a recorded `timeseries.csv`, or of the model at the same time. */
interface Row {
  readonly seconds: number;
  readonly running: number;
  readonly waiting: number;
  /** Percentage of the blocks in use; undefined if the recording lacks it. */
  readonly kv: number | undefined;
}

const panels = [
  { key: 'running', title: 'running requests' },
  { key: 'waiting', title: 'waiting requests' },
  { key: 'kv', title: 'KV cache in use, %' },
] as const;

/** Mean distance of the model's curve from the recorded one, by quantity. */
export interface CurveErrors {
  readonly running: number;
  readonly waiting: number;
  /** In percentage points; undefined if the recording has no KV cache. */
  readonly kv: number | undefined;
}

/**
 * Plots both curves of a run in one SVG file, and returns their distance. The recording's clock
 * starts with the server's log, so it is shifted by the whole or half second that fits best.
 */
export async function drawCurves({ truthCase, run }: Comparison): Promise<{
  readonly svg: string;
  readonly errors: CurveErrors;
  readonly shiftSeconds: number;
}> {
  const real = await readTimeseries(truthCase.trace.replace('.jsonl.gz', '.timeseries.csv'));
  const shifts = Array.from({ length: 13 }, (_, i) => i / 2 - 3);
  const fits = shifts.map((shift) => {
    const model = sampleAt(run.result.samples, real, shift, run.config.numGpuBlocks);
    return { shift, model, errors: errorsOf(real, model) };
  });
  const best = fits.reduce((a, b) => (b.errors.running < a.errors.running ? b : a));
  const svg = svgOf(truthCase.name, real, best.model, best.errors);
  return { svg, errors: best.errors, shiftSeconds: best.shift };
}

async function readTimeseries(path: string): Promise<Row[]> {
  const table = await parseCsv(readFileSync(path, 'utf8'), path);
  const columns = ['t', 'running', 'waiting', 'kv_cache_pct'];
  const rows = selectColumns(table, columns).map(({ line, cells }) => {
    const [seconds = 0, running = 0, waiting = 0, kv = 0] = cells.map((cell) =>
      numberInCell(cell, `${path}:${line}`),
    );
    return { seconds, running, waiting, kv };
  });
  // One of the recordings has no KV usage: its column is always 0.
  const recorded = rows.some(({ kv }) => kv > 0);
  return rows.map((row) => ({ ...row, kv: recorded ? row.kv : undefined }));
}

function sampleAt(
  samples: readonly RunSample[],
  real: readonly Row[],
  shift: number,
  blocksTotal: number,
): Row[] {
  let at = 0;
  return real.map(({ seconds }) => {
    while (at + 1 < samples.length && (samples[at + 1] as RunSample).seconds <= seconds + shift)
      at++;
    const { running, waiting, blocksUsed } = samples[at] as RunSample;
    return { seconds, running, waiting, kv: (100 * blocksUsed) / (blocksTotal - 1) };
  });
}

function errorsOf(real: readonly Row[], model: readonly Row[]): CurveErrors {
  const mean = (key: 'running' | 'waiting' | 'kv') =>
    real.reduce((sum, row, i) => sum + Math.abs((row[key] ?? 0) - (model[i]?.[key] ?? 0)), 0) /
    real.length;
  const recorded = real[0]?.kv !== undefined;
  return {
    running: mean('running'),
    waiting: mean('waiting'),
    kv: recorded ? mean('kv') : undefined,
  };
}

function svgOf(
  name: string,
  real: readonly Row[],
  model: readonly Row[],
  errors: CurveErrors,
): string {
  const charts = panels.map(({ key, title }) => {
    const error = errors[key];
    const curve = (rows: readonly Row[]): Point[] => rows.map((row) => [row.seconds, row[key]]);
    return lineDrawing({
      title: `${title} (${error === undefined ? 'not recorded' : `mean distance ${error.toFixed(1)}`})`,
      xLabel: 'seconds',
      series: [
        ...(error === undefined ? [] : [{ name: 'real vLLM', points: curve(real) }]),
        { name: 'engine model', points: curve(model), colour: 1 },
      ],
      size: { width: 760, height: 180 },
    });
  });
  return pictureFile(`${name}: real vLLM and engine model, each second`, charts);
}
