// `bench serve --beside-simulation`: the same requests in a simulation of the stack, beside those that were measured.
import { loadValues } from '../../io/values/index.ts';
import { type ServeTraffic, simulatedTraffic } from '../../tools/benchmark/index.ts';
import { simulateStack } from '../../tools/simulate-stack/index.ts';
import { valuesChecks } from '../values-checks.ts';
import type { Simulated } from './beside-table.ts';

/**
 * Simulates what a run sends.
 *
 * @param file Values file of the stack.
 * @throws {InputError} If the file is wrong, or the requests cannot be simulated.
 */
export async function simulatedBeside(
  file: string,
  traffic: ServeTraffic,
  percentiles: readonly number[],
): Promise<Simulated> {
  const values = await loadValues({ files: [file], ...(await valuesChecks()) });
  const requests = await simulatedTraffic(traffic);
  const { report } = await simulateStack({
    ...{ values, percentiles, seed: traffic.seed, speed: 1, failures: [] },
    traffic: { ...requests, offeredRate: undefined, clients: traffic.users },
  });
  return { file, report };
}
