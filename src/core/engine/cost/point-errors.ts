// The distribution of the errors of measured points whose model was not in the fit.
import type { ModelSpec } from '../catalogue/model-spec.ts';

/** Percentage of the points below each value of `pointErrors`. */
export const pointErrorShares = [5, 10, 30, 50, 70, 90, 95] as const;

/**
 * Ratio of measured to predicted at each of `pointErrorShares`, for points predicted with constants that were
 * fitted without their model. `npm run bench:truth` prints them.
 */
export const pointErrors = {
  dense: {
    tpot: [0.86, 0.89, 0.97, 1.02, 1.09, 1.29, 1.43],
    ttft: [0.75, 0.79, 0.87, 1.01, 1.15, 1.51, 1.63],
  },
  moe: {
    tpot: [0.88, 0.93, 0.99, 1.02, 1.06, 1.13, 1.17],
    ttft: [0.87, 0.9, 1.0, 1.07, 1.15, 1.36, 1.6],
  },
} as const;

/** Selects the errors that apply to a model. */
export function pointKind({ experts }: Pick<ModelSpec, 'experts'>): keyof typeof pointErrors {
  return experts === undefined ? 'dense' : 'moe';
}
