// Runs the traffic of `bench serve`, in as many processes as it needs.
import { availableParallelism } from 'node:os';
import { clientCount } from './clients/client-count.ts';
import { runClients } from './clients/run-clients.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadOutcome } from './load-outcome.ts';
import { type LoadContext, runLoad } from './run-load.ts';
import { type ServeTraffic, serveSource } from './serve-traffic.ts';

/**
 * Runs a load.
 *
 * @throws {InputError} If a file of the dataset is missing or wrong, or the server lacks the model.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export function runServe(
  options: LoadOptions,
  traffic: ServeTraffic,
  context: LoadContext,
): Promise<LoadOutcome> {
  const { clients = 1, users } = options;
  const count = clientCount(clients, traffic, { users, cores: availableParallelism() });
  return count === 1
    ? runLoad(options, (model) => serveSource(traffic, model), context)
    : runClients(options, traffic, count, context);
}
