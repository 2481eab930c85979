// Draws what an engine model and the real engine did each second: running, waiting, KV cache.
import { readFileSync } from 'node:fs';
import type { RunSample } from '../../src/core/simulation/index.ts';
import type { Comparison } from './compare.ts';

/** One line of a recorded `timeseries.csv`, or of the model at the same time. */
interface Row {
  readonly seconds: number;
  readonly running: number;
  readonly waiting: number;
  /** Percent of the blocks in use; undefined where the recording has none. */
  readonly kv: number | undefined;
}

const panels = [
  { key: 'running', title: 'running requests' },
  { key: 'waiting', title: 'waiting requests' },
  { key: 'kv', title: 'KV cache in use, %' },
] as const;

const width = 760;
const panelHeight = 150;
const margin = { left: 56, right: 16, top: 34, bottom: 26 };
const colours = { real: '#1f77b4', model: '#d62728' };

/** Mean distance of the model's curve from the recorded one, by quantity. */
export interface CurveErrors {
  readonly running: number;
  readonly waiting: number;
  /** In points of percent; undefined where the recording has no KV cache. */
  readonly kv: number | undefined;
}

/**
 * Both curves of a run on one picture, as SVG, and how far they are apart. The recording's clock
 * starts with the server's log, so it is shifted by the whole or half second that fits best.
 */
export function drawCurves({ truthCase, run }: Comparison): {
  readonly svg: string;
  readonly errors: CurveErrors;
  readonly shiftSeconds: number;
} {
  const real = readTimeseries(truthCase.trace.replace('.jsonl.gz', '.timeseries.csv'));
  const shifts = Array.from({ length: 13 }, (_, i) => i / 2 - 3);
  const fits = shifts.map((shift) => {
    const model = sampleAt(run.result.samples, real, shift, run.config.numGpuBlocks);
    return { shift, model, errors: errorsOf(real, model) };
  });
  const best = fits.reduce((a, b) => (b.errors.running < a.errors.running ? b : a));
  const svg = svgOf(truthCase.name, real, best.model, best.errors);
  return { svg, errors: best.errors, shiftSeconds: best.shift };
}

function readTimeseries(path: string): Row[] {
  const [header = '', ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const names = header.split(',');
  const rows = lines.map((line) => {
    const cells = line.split(',');
    const of = (name: string) => Number(cells[names.indexOf(name)]);
    return {
      seconds: of('t'),
      running: of('running'),
      waiting: of('waiting'),
      kv: of('kv_cache_pct'),
    };
  });
  // One of the recordings holds no KV usage: its column is 0 throughout.
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
  const end = real.at(-1)?.seconds ?? 1;
  const height = panels.length * panelHeight + margin.top + 8;
  const parts = panels.map(({ key, title }, i) => {
    const top = margin.top + i * panelHeight;
    const bottom = top + panelHeight - margin.bottom - 14;
    const values = [...real, ...model].map((row) => row[key] ?? 0);
    const most = niceCeiling(Math.max(1, ...values));
    const x = (seconds: number) =>
      margin.left + (seconds / end) * (width - margin.left - margin.right);
    const y = (value: number) => bottom - (value / most) * (bottom - top - 16);
    const path = (rows: readonly Row[]) =>
      rows.map((row) => `${x(row.seconds).toFixed(1)},${y(row[key] ?? 0).toFixed(1)}`).join(' ');
    const ticks = [0, most / 2, most].map(
      (value) =>
        `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
        `<text x="${margin.left - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
    );
    const times = [0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        `<text x="${x(share * end).toFixed(0)}" y="${bottom + 15}" text-anchor="middle">${Math.round(share * end)} s</text>`,
    );
    const error = errors[key];
    const note = error === undefined ? 'not recorded' : `mean distance ${error.toFixed(1)}`;
    const recorded =
      error === undefined
        ? ''
        : `<polyline points="${path(real)}" fill="none" stroke="${colours.real}" stroke-width="2"/>`;
    return (
      `<text x="${margin.left}" y="${top + 8}" font-weight="bold">${title}</text>` +
      `<text x="${width - margin.right}" y="${top + 8}" text-anchor="end">${note}</text>` +
      `${ticks.join('')}${times.join('')}${recorded}` +
      `<polyline points="${path(model)}" fill="none" stroke="${colours.model}" stroke-width="1.3"/>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">` +
    `<title>${name}: real vLLM and engine model, each second</title>` +
    `<rect width="100%" height="100%" fill="white"/>` +
    `<text x="${margin.left}" y="16" font-size="13">${name}: ` +
    `<tspan fill="${colours.real}">real vLLM</tspan> and <tspan fill="${colours.model}">engine model</tspan></text>` +
    `${parts.join('')}</svg>\n`
  );
}

/** The next of 1, 2, 5 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}
