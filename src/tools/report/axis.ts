// Positions of values on an axis, and its ticks.

export interface Axis {
  /** Returns the position of a value, from 0 to 1. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** Runs from 0 to the tick at or above the largest value, with about five ticks at round values. */
export function countAxis(most: number): Axis {
  const step = niceStep(most / 5);
  return linearAxis(0, Math.ceil(most / step - 1e-9) * step);
}

/** Runs from the smallest value to the largest, with about five ticks at round values. */
export function linearAxis(least: number, most: number): Axis {
  // Values that are equal but for rounding would have ticks without number.
  const isPoint = most - least <= 1e-9 * Math.max(Math.abs(most), Math.abs(least));
  const span = isPoint ? 1 : most - least;
  const step = niceStep(span / 5);
  const ticks: number[] = [];
  for (let i = Math.ceil(least / step); i * step <= most * (1 + 1e-9); i++) ticks.push(i * step);
  return { place: (value) => (value - least) / span, ticks };
}

/** Does the same over the logarithm; both values must be above 0. */
export function logAxis(least: number, most: number): Axis {
  const [low, high] = [Math.log10(least), Math.log10(most)];
  const span = high - low || 1;
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const digit of span > 3 ? [1] : [1, 2, 5]) {
      const tick = digit * 10 ** power;
      if (tick >= least * (1 - 1e-9) && tick <= most * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return { place: (value) => (Math.log10(value) - low) / span, ticks };
}

/** Returns the smallest of 1, 2, 5 · 10^k that is not below the step. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = [1, 2, 5, 10].find((one) => one * power >= step * (1 - 1e-9)) ?? 10;
  return digit * power;
}
