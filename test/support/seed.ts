// The seed of tests with random cases: new in each run, printed, and accepted to replay a run.

/** Environment variable that replaces the new seed, to replay a run. */
const variable = 'SPILLWAY_TEST_SEED';
const seedMax = 2 ** 31 - 1;

/**
 * Returns a seed for the tests of one file, and prints it with its purpose.
 *
 * @throws {RangeError} If the variable is not a seed.
 */
export function testSeed(subject: string): number {
  const given = process.env[variable];
  const seed = given === undefined ? Math.floor(Math.random() * seedMax) : Number(given);
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > seedMax) {
    throw new RangeError(`${variable} must be an integer from 0 to ${seedMax}, not "${given}".`);
  }
  process.stderr.write(`seed ${seed}: ${subject}; replay with ${variable}=${seed}\n`);
  return seed;
}
