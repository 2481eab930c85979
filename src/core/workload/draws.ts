// Random numbers from the distributions of traffic.
import { type Random, randomExponential } from '../base/index.ts';

/** Draws from the standard normal distribution, by Box and Muller. */
export function randomNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

/**
 * Draws from the gamma distribution with mean shape · scale.
 *
 * @see Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; for shapes
 *   below 1 with their boost by u^(1/shape).
 */
export function randomGamma(random: Random, shape: number, scale: number): number {
  if (shape === 1) return randomExponential(random, scale);
  if (shape < 1) {
    return randomGamma(random, shape + 1, scale) * (1 - random.next()) ** (1 / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = randomNormal(random);
    const v = (1 + c * normal) ** 3;
    if (v <= 0) continue;
    const u = 1 - random.next();
    if (Math.log(u) < 0.5 * normal ** 2 + d * (1 - v + Math.log(v))) return d * v * scale;
  }
}

/** Draws ranks from 0 up, rank r with a weight of 1 / (r + 1)^exponent; exponent 0 is uniform. */
export function zipfRanks(count: number, exponent: number): (random: Random) => number {
  const ends = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) {
    total += (rank + 1) ** -exponent;
    ends[rank] = total;
  }
  return (random) => {
    const wanted = random.next() * total;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
