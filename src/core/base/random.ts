// Randomness as an input: the same seed gives the same run on every machine.

/** A source of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/**
 * A seeded generator: sfc32, which passes PractRand and needs only 32-bit integer operations.
 *
 * @param seed Any integer; its low 32 bits count.
 * @see https://pracrand.sourceforge.net/RNG_engines.txt
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  // As the author advises: the first outputs still correlate with the seed.
  for (let i = 0; i < 12; i++) next();
  return { next };
}

/** A uniform integer in [0, limit). */
export function randomInteger(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}

/** An exponential waiting time with the given mean: the gaps of a Poisson process. */
export function randomExponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean;
}

/** The same items in another order, by Fisher and Yates. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
