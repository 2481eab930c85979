// Fits the calibration of the roofline to measured points, and says what it would be without one
// group of them.
import type { PointCalibration } from '../../src/core/engine/index.ts';
import { kernelsOf } from '../../src/core/engine/index.ts';
import {
  gpuOf,
  type PointRow,
  precisionOf,
  predictPoint,
  shapeOf,
} from '../../src/tools/simulate-points/index.ts';

/** Natural logarithms of predicted / measured: TPOT, TTFT. */
type Residual = readonly [number, number];

/** The fit linearised around a calibration: enough to leave any group of points out. */
export interface LinearFit {
  readonly names: readonly string[];
  readonly around: PointCalibration;
  readonly points: readonly PointRow[];
  readonly residuals: readonly Residual[];
  /** By constant, then by point: change of the residual with the constant's logarithm. */
  readonly slopes: readonly (readonly Residual[])[];
}

/** TTFT scatters more than TPOT, and hangs on more that the points do not say. */
const weights = [1, 0.5] as const;
/** Beyond this error a point pulls no harder: a few of another harness must not decide. */
const errorMax = 0.12;
const slopeStep = 0.05;
/** Pull of each constant towards where it started, in squared logarithms. */
const pull = 1;

/**
 * The points that a fit may use: below saturation, at most 64 clients and 1,024 output tokens, and
 * of the same kind of harness (Qwen3-235B's TPOT does not change with the clients; three points have
 * no expert layout).
 */
export function usable(point: PointRow): boolean {
  const { measuredTtftMs = 0, outputTokens, group } = point;
  const clients = point.clients * point.attentionDataParallelSize;
  const other = /Qwen3-235B| 0 0$/.test(group);
  return measuredTtftMs < 3000 && clients <= 64 && outputTokens <= 1024 && !other;
}

/** One round of Gauss-Newton on the logarithms of all constants. */
export function linearFit(points: readonly PointRow[], around: PointCalibration): LinearFit {
  const names = Object.keys(around);
  const fitted = points.filter((point) => usable(point) && !predictPoint(point, around).saturated);
  const residuals = fitted.map((point) => residualOf(point, around));
  const slopes = names.map((name) => {
    const moved = { ...around, [name]: (around[name] ?? 1) * Math.exp(slopeStep) };
    return fitted.map((point, i): Residual => {
      if (!bears(name, point)) return [0, 0];
      const [tpot, ttft] = residualOf(point, moved);
      const [tpotBefore, ttftBefore] = residuals[i] as Residual;
      return [(tpot - tpotBefore) / slopeStep, (ttft - ttftBefore) / slopeStep];
    });
  });
  return { names, around, points: fitted, residuals, slopes };
}

/** The calibration after the round, from all points but some. */
export function solveFit(
  fit: LinearFit,
  start: PointCalibration,
  without: (point: PointRow) => boolean = () => false,
) {
  const { names, around, points, residuals, slopes } = fit;
  const matrix = names.map(() => names.map(() => 0));
  const right = names.map(() => 0);
  for (const [i, point] of points.entries()) {
    if (without(point)) continue;
    for (const which of [0, 1] as const) {
      const error = (residuals[i] as Residual)[which];
      const weight = weights[which] * Math.min(1, errorMax / Math.abs(error));
      for (const [a, row] of matrix.entries()) {
        const slope = ((slopes[a] as Residual[])[i] as Residual)[which];
        if (slope === 0) continue;
        right[a] = (right[a] as number) - weight * slope * error;
        for (let b = 0; b < row.length; b++) {
          const other = ((slopes[b] as Residual[])[i] as Residual)[which];
          row[b] = (row[b] as number) + weight * slope * other;
        }
      }
    }
  }
  for (const [a, name] of names.entries()) {
    const row = matrix[a] as number[];
    row[a] = (row[a] as number) + pull;
    const from = Math.log((around[name] ?? 1) / (start[name] ?? 1));
    right[a] = (right[a] as number) - pull * from;
  }
  const steps = solve(matrix, right);
  return Object.fromEntries(
    names.map((name, a) => {
      const step = Math.max(-0.5, Math.min(0.5, steps[a] as number));
      return [name, (around[name] ?? 1) * Math.exp(step)];
    }),
  );
}

/** Where every fit starts, and what it is pulled to. */
export function startOf(calibration: PointCalibration): PointCalibration {
  const start: Record<string, number> = {
    ...{ host: 0.6e-3, ar0: 5.5e-6, ar1: 7e-6, link: 0.57, layer: 11e-6, layerExpert: 4.5e-6 },
    ...{ layerDp: 5e-6, launch: 0.3e-3, launchMoe: 0.8e-3, request: 0.008 },
    ...{ attention: 0.6, kv: 0.75, 'matrix dense': 0.5, 'matrix moe': 0.25 },
    ...{ 'weight dense': 0.78, 'weight moe': 0.7 },
    ...{ layerLatent: 1e-5, experts: 2, token: 1e-6 },
  };
  return Object.fromEntries(Object.keys(calibration).map((name) => [name, start[name] ?? 1]));
}

function residualOf(point: PointRow, calibration: PointCalibration): Residual {
  const { tpotMs, ttftMs } = predictPoint(point, calibration);
  return [
    Math.log(tpotMs / (point.measuredTpotMs ?? NaN)),
    Math.log(ttftMs / (point.measuredTtftMs ?? NaN)),
  ];
}

/** Whether the constant has a part in the point at all. */
function bears(name: string, point: PointRow): boolean {
  const kind = shapeOf(point).experts === undefined ? 'dense' : 'moe';
  if (name.endsWith('Moe')) return kind === 'moe';
  if (name === 'launch') return kind === 'dense';
  if (name === 'layerExpert') return kind === 'moe';
  const groups = point.attentionDataParallelSize;
  if (name === 'layerDp') return groups > 1;
  if (name === 'ar0' || name === 'ar1' || name === 'link') {
    return point.tensorParallelSize * groups > 1;
  }
  if (name === 'experts') return kind === 'moe';
  if (name.endsWith('Latent')) return shapeOf(point).latentAttention !== undefined;
  const of = name.split(' ')[1];
  if (of === undefined) return true;
  const gpu = gpuOf(point);
  return [kind, gpu.name, `${kind}/${kernelsOf(precisionOf(point), gpu)}`].includes(of);
}

/** Gaussian elimination with pivots. Both arguments are used up. */
function solve(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  const at = (row: number, column: number) => (matrix[row] as number[])[column] as number;
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let j = i + 1; j < size; j++) if (Math.abs(at(j, i)) > Math.abs(at(pivot, i))) pivot = j;
    [matrix[i], matrix[pivot]] = [matrix[pivot] as number[], matrix[i] as number[]];
    [right[i], right[pivot]] = [right[pivot] as number, right[i] as number];
    for (let j = i + 1; j < size; j++) {
      const factor = at(j, i) / at(i, i);
      for (let k = i; k < size; k++) (matrix[j] as number[])[k] = at(j, k) - factor * at(i, k);
      right[j] = (right[j] as number) - factor * (right[i] as number);
    }
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) {
      right[i] = (right[i] as number) - at(i, k) * (right[k] as number);
    }
    right[i] = (right[i] as number) / at(i, i);
  }
  return right;
}
