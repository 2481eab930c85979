// A share of successes and its uncertainty.

/** 97.5 % quantile of the standard normal distribution. */
const z95 = 1.959964;

/** A share of trials in [0, 1] with its 95 % interval. */
export interface Proportion {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's interval: unlike the textbook's, right for shares near 0 and 1 and for few trials.
 *
 * @param trials At least 1.
 * @example wilson(10, 10).low; // 0.722
 * @see E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927)
 */
export function wilson(successes: number, trials: number): Proportion {
  if (!(trials >= 1)) throw new RangeError('A share needs at least one trial');
  const share = successes / trials;
  const z2 = z95 ** 2;
  const centre = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half =
    (z95 * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials ** 2))) / (1 + z2 / trials);
  return { share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
