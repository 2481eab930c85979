// How many engines, and routers before them, a simulation holds.
import { InputError } from '../base/index.ts';

/** About 30 KB each before their first request, and each pick looks at all of them. */
const enginesMax = 10_000;

/** Each has books of all engines, and hears of each attempt of the others. */
const routersMax = 100;

/** @throws {InputError} If there are more. */
export function checkEngineCount(engines: number): void {
  if (engines <= enginesMax) return;
  throw new InputError(
    `${engines} engines are more than a simulation holds; ask for at most ${enginesMax}.`,
  );
}

/** @throws {InputError} If there are more. */
export function checkRouterCount(routers: number): void {
  if (routers <= routersMax) return;
  throw new InputError(
    `${routers} routers are more than a simulation holds; ask for at most ${routersMax}.`,
  );
}
