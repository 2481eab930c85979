// Maximum number of engines, and of routers in front of them, in a simulation.
import { InputError } from '../base/index.ts';

/** About 30 KB each before their first request, and each pick reads all of them. */
const enginesMax = 10_000;

/** Each has load counts of all engines, and receives each attempt of the others. */
const routersMax = 100;

/** @throws {InputError} If there are more. */
export function checkEngineCount(engines: number): void {
  if (engines <= enginesMax) return;
  throw new InputError(
    `${engines} engines exceed the limit of a simulation; use at most ${enginesMax}.`,
  );
}

/** @throws {InputError} If there are more. */
export function checkRouterCount(routers: number): void {
  if (routers <= routersMax) return;
  throw new InputError(
    `${routers} routers exceed the limit of a simulation; use at most ${routersMax}.`,
  );
}
