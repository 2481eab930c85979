// The distribution of the errors of measured points whose model was not in the fit.
import type { ModelSpec } from '../catalogue/model-spec.ts';

/** Percentage of the points below each value of `pointErrors`. */
export const pointErrorShares = [5, 10, 30, 50, 70, 90, 95] as const;

/**
 * Ratio of measured to predicted at each of `pointErrorShares`, for points predicted with constants that were
 * fitted without their model. `npm run bench:truth` prints them; since 2026-11-23 its values differ from
 * these by up to 0.01 for dense models, and by up to 0.05 for mixtures of experts.
 */
export const pointErrors = {
  dense: {
    tpot: [0.86, 0.89, 0.97, 1.05, 1.14, 1.29, 1.39],
    ttft: [0.77, 0.82, 0.89, 1.0, 1.12, 1.51, 1.66],
  },
  moe: {
    tpot: [0.84, 0.88, 0.97, 1.01, 1.06, 1.17, 1.23],
    ttft: [0.72, 0.81, 0.98, 1.08, 1.25, 1.5, 1.81],
  },
} as const;

/** Selects the errors that apply to a model. */
export function pointKind({ experts }: Pick<ModelSpec, 'experts'>): keyof typeof pointErrors {
  return experts === undefined ? 'dense' : 'moe';
}
