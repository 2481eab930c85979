// Choosing one of several candidates by a score.
import type { Random } from '../base/index.ts';

/** Index of the highest score; ties are random with equal probability. */
export function indexOfHighest(scores: readonly number[], random: Random): number {
  let best = 0;
  let equals = 1;
  for (let i = 1; i < scores.length; i++) {
    const difference = (scores[i] as number) - (scores[best] as number);
    if (difference > 0) {
      best = i;
      equals = 1;
    } else if (difference === 0) {
      // Reservoir sampling: each of k equals is chosen with probability 1/k.
      equals += 1;
      if (random.next() * equals < 1) best = i;
    }
  }
  return best;
}

/** Index of the lowest score; ties are random with equal probability. */
export function indexOfLowest(scores: readonly number[], random: Random): number {
  return indexOfHighest(
    scores.map((score) => -score),
    random,
  );
}
