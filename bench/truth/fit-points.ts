// Fits the calibration of the roofline to measured points, and returns the fit without one group of
// them.
import type { PointCalibration } from '../../src/core/engine/index.ts';
import { kernelsOf } from '../../src/core/engine/index.ts';
import {
  gpuOf,
  type PointRow,
  precisionOf,
  predictPoint,
  rowsPerExpert,
  serverFlags,
  shapeOf,
} from '../../src/tools/simulate-points/index.ts';

/** Natural logarithms of predicted / measured: TPOT, TTFT. */
type Residual = readonly [number, number];

/** The fit linearised around a calibration: enough to exclude any group of points. */
export interface LinearFit {
  readonly names: readonly string[];
  readonly around: PointCalibration;
  readonly points: readonly PointRow[];
  readonly residuals: readonly Residual[];
  /** By constant, then by point: derivative of the residual with respect to the constant's logarithm. */
  readonly slopes: readonly (readonly Residual[])[];
}

/** TTFT scatters more than TPOT, and depends on more that the points do not state. */
const weights = [1, 0.5] as const;
/**
 * Error above which the influence of a point no longer grows, so that a few from another harness do
 * not dominate.
 */
const errorMax = 0.12;
const slopeStep = 0.05;
/**
 * Weight of the prior at each constant's start, in squared logarithms. Few points determine a factor of
 * one kind of model on one GPU, so the prior of such factors is weaker.
 */
const pull = (name: string) => (name.split(' ').length > 2 ? 0.2 : 1);

/**
 * Returns whether a fit may use the point: below saturation, at most 64 clients and 1,024 output
 * tokens, and with a layout (three points have none). Not where requests wait at full groups.
 */
export function usable(point: PointRow): boolean {
  const { measuredTtftMs = 0, outputTokens, group } = point;
  const clients = point.clients * point.clientGroups;
  if (measuredTtftMs >= 3000 || / 0 0$/.test(group)) return false;
  // Where requests wait for a place in their group, one more or less changes the TTFT by a tenth.
  if (point.load.isAiperf && point.attentionDataParallelSize > 1) return false;
  // With repeated prompts most of a prefill is cached, so many clients decode like few.
  return point.load.isAiperf || (clients <= 64 && outputTokens <= 1024);
}

/** Runs one round of Gauss-Newton on the logarithms of all constants. */
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

/** Returns the calibration after the round, from all but some points. */
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
    row[a] = (row[a] as number) + pull(name);
    const from = Math.log((around[name] ?? 1) / (start[name] ?? 1));
    right[a] = (right[a] as number) - pull(name) * from;
  }
  const steps = solve(matrix, right);
  return Object.fromEntries(
    names.map((name, a) => {
      const step = Math.max(-0.5, Math.min(0.5, steps[a] as number));
      return [name, (around[name] ?? 1) * Math.exp(step)];
    }),
  );
}

/** Start of every fit, and its prior. */
export function startOf(calibration: PointCalibration): PointCalibration {
  const start: Record<string, number> = {
    ...{
      host: 0.6e-3,
      hostPrompt: 1e-3,
      ar0: 5.5e-6,
      ar1: 7e-6,
      'ar0 fused': 6e-6,
      'ar1 fused': 2e-6,
      float32: 25e12,
      link: 0.57,
      layer: 11e-6,
      layerExpert: 4.5e-6,
    },
    ...{ layerDp: 5e-6, launch: 0.3e-3, launchMoe: 0.8e-3, launchGraph: 0.1e-3, request: 0.008 },
    ...{ attention: 0.6, kv: 0.75, 'matrix dense': 0.5, 'matrix moe': 0.25 },
    ...{ 'weight dense': 0.78, 'weight moe': 0.7 },
    ...{ layerLatent: 1e-5, experts: 2, expertRows: 16, token: 1e-6, clientAiperf: 3e-4 },
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

/** Returns whether the constant affects the point at all. */
function bears(name: string, point: PointRow): boolean {
  const kind = shapeOf(point).experts === undefined ? 'dense' : 'moe';
  // AIPerf's points test the constants of the engine. They determine two that no other points depend on.
  const isDeepGemm = rowsPerExpert(point, gpuOf(point)) !== undefined;
  if (name === 'matrix deepGemm') return isDeepGemm;
  if (point.load.isAiperf) return name === 'clientAiperf' && !isDeepGemm;
  if (name === 'clientAiperf') return false;
  if (name === 'hostPrompt') return !serverFlags(point, gpuOf(point)).plansAhead;
  if (name === 'launchGraph') return true;
  if (name.endsWith('Moe')) return kind === 'moe';
  if (name === 'launch') return kind === 'dense';
  if (name === 'layerExpert') return kind === 'moe';
  const groups = point.attentionDataParallelSize;
  if (name === 'layerDp') return groups > 1;
  if (name === 'float32') return shapeOf(point).experts?.hasFloat32Router === true;
  if (/^(ar[01]( fused)?|link)$/.test(name)) {
    return point.tensorParallelSize * groups > 1;
  }
  if (name === 'experts' || name === 'expertRows') return kind === 'moe';
  if (name.endsWith('Latent')) return shapeOf(point).latentAttention !== undefined;
  if (name.startsWith('launch shared') && point.tensorParallelSize === 1) return false;
  const split = name.replace('shared ', '').split(' ');
  if (split.length === 3) return split[1] === kind && split[2] === gpuOf(point).name;
  const of = split[1];
  if (of === undefined) return true;
  const gpu = gpuOf(point);
  return [kind, gpu.name, `${kind}/${kernelsOf(precisionOf(point), gpu)}`].includes(of);
}

/** Gaussian elimination with pivots. Modifies both arguments. */
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
