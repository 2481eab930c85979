// Fits a few positive constants to measurements: Gauss-Newton on logarithms, so that errors and changes
// are relative, with a prior at each constant's start and a limit on the influence of outliers.

export interface FitProblem {
  /** Initial values of the constants; all above 0. */
  readonly start: readonly number[];
  readonly measured: readonly number[];
  /** Predictions aligned with `measured`, all above 0. */
  readonly predict: (constants: readonly number[]) => readonly number[];
}

export interface Fit {
  readonly constants: readonly number[];
  /**
   * By constant, how much of it the measurements determined, from 0 (nothing: it equals its start) to 1
   * (all).
   */
  readonly decided: readonly number[];
}

/** Relative error above which the influence of a measurement no longer grows (Huber). */
const errorMax = 0.12;
/**
 * Relative error of the measurements, against which a prior is weighted: first an assumption, then the
 * residual of the fit, but at least the second number.
 */
const [noiseFirst, noiseMin] = [0.03, 0.0003];
/**
 * Upper limit: with unbounded noise, the prior would pull back a constant that is far off, and its error
 * would then count as noise.
 */
const noiseMax = 0.5;
const noiseRounds = 4;
/**
 * With fewer measurements than this beyond the determined constants, the residual contains no information
 * about noise.
 */
const freedomMin = 2;
/**
 * Uncertainty of the start: a factor e either way, one standard deviation. Beyond that its influence no
 * longer grows: the host of a small CPU takes hundreds of times as long as an H100's.
 */
const startSpread = 1;
const slopeStep = 0.02;
const roundsMax = 40;
/** Maximum step of one round, and the step that ends the rounds; in logarithms. */
const [stepMax, stepEnough] = [0.7, 1e-5];

/** @throws {RangeError} If there is no measurement. */
export function fitConstants({ start, measured, predict }: FitProblem): Fit {
  if (measured.length === 0) throw new RangeError('A fit needs at least one measurement');
  const origin = start.map(Math.log);
  const targets = measured.map(Math.log);
  const predictLogs = (at: readonly number[]) =>
    predict(at.map(Math.exp)).map((value) => Math.log(value));
  let noise = noiseFirst;
  let at: readonly number[] = origin;
  let decided: readonly number[] = [];
  for (let round = 0; round < noiseRounds; round++) {
    ({ at, decided } = solve({ origin, targets, predictLogs, noise }, at));
    const sizes = predictLogs(at).map((value, i) => Math.abs(value - (targets[i] as number)));
    const median = sizes.sort((a, b) => a - b)[sizes.length >>> 1] as number;
    const left = sizes.length - decided.reduce((sum, share) => sum + share, 0);
    // The median absolute value of a normal distribution is 0.67 standard deviations; the degrees of
    // freedom used by the constants are missing.
    const found = (median / 0.67) * Math.sqrt(sizes.length / Math.max(1, left));
    noise = Math.min(noiseMax, Math.max(left < freedomMin ? noiseFirst : noiseMin, found));
  }
  return { constants: at.map(Math.exp), decided };
}

interface LogProblem {
  readonly origin: readonly number[];
  readonly targets: readonly number[];
  readonly predictLogs: (at: readonly number[]) => readonly number[];
  readonly noise: number;
}

/** Newton steps until they are short. */
function solve(problem: LogProblem, from: readonly number[]) {
  let at = [...from];
  let decided: number[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const { normal, right, pulls } = linearise(at, problem);
    const own = normal.map((row, i) => (row[i] as number) - (pulls[i] as number));
    decided = own.map((weight, i) => weight / (weight + (pulls[i] as number)));
    const step = solveSymmetric(normal, right);
    const longest = Math.max(...step.map(Math.abs));
    const share = Math.min(1, stepMax / longest);
    at = at.map((value, i) => value + share * (step[i] as number));
    if (longest < stepEnough) break;
  }
  return { at, decided };
}

/** The normal equations around `at`: their matrix, right side, and the contribution of the priors. */
function linearise(at: readonly number[], problem: LogProblem) {
  const { origin, targets, predictLogs, noise } = problem;
  const now = predictLogs(at);
  const slopes = at.map((_, i) => {
    const moved = predictLogs(at.map((value, j) => (i === j ? value + slopeStep : value)));
    return moved.map((value, point) => (value - (now[point] as number)) / slopeStep);
  });
  const errors = now.map((value, point) => value - (targets[point] as number));
  const weights = errors.map((error) => Math.min(1, errorMax / Math.abs(error)) / noise ** 2);
  const pulls = at.map((value, i) => {
    const off = Math.abs(value - (origin[i] as number));
    return Math.min(1, startSpread / off) / startSpread ** 2;
  });
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * (b[i] as number) * (weights[i] as number), 0);
  const normal = slopes.map((a, i) =>
    slopes.map((b, j) => dot(a, b) + (i === j ? (pulls[i] as number) : 0)),
  );
  const right = slopes.map(
    (slope, i) =>
      -dot(slope, errors) - (pulls[i] as number) * ((at[i] as number) - (origin[i] as number)),
  );
  return { normal, right, pulls };
}

/** Solves A x = b for a symmetric positive definite A, by Cholesky's method. */
function solveSymmetric(
  matrix: readonly (readonly number[])[],
  right: readonly number[],
): number[] {
  const size = right.length;
  const lower = matrix.map(() => new Array<number>(size).fill(0));
  const at = (i: number, j: number) => (lower[i] as number[])[j] as number;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (matrix[i] as number[])[j] as number;
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k);
      (lower[i] as number[])[j] = i === j ? Math.sqrt(sum) : sum / at(j, j);
    }
  }
  const x = [...right];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] as number) - at(i, k) * (x[k] as number);
    x[i] = (x[i] as number) / at(i, i);
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] = (x[i] as number) - at(k, i) * (x[k] as number);
    x[i] = (x[i] as number) / at(i, i);
  }
  return x;
}
