// The routing policy that a router's options select.
import { seededRandom } from '../../../core/base/index.ts';
import type { KvIndex } from '../../../core/kv/index.ts';
import {
  createPolicy,
  findPolicy,
  type Policy,
  type TierIndex,
} from '../../../core/routing/index.ts';
import type { RouterOptions } from '../options.ts';

/** Interval between readings of engines' metrics, unless the policy declares another. */
const statsSecondsDefault = 5;

/** @throws {InputError} If there is no policy of this name, or a parameter is out of range. */
export function routerPolicy(
  name: string,
  options: RouterOptions,
  { kvIndex, tiers }: { readonly kvIndex: KvIndex; readonly tiers: TierIndex },
): Policy {
  return createPolicy(name, {
    random: seededRandom(Date.now()),
    kvIndex,
    tiers,
    followsKvEvents: options.kvEvents,
    parameters: options.policyParameters,
  });
}

/** Interval between readings of engines' metrics. */
export function statsIntervalMs(policyName: string, options: RouterOptions): number {
  const { everySeconds = statsSecondsDefault } =
    findPolicy(policyName)?.consumes.engineReports ?? {};
  return options.statsIntervalMs ?? everySeconds * 1000;
}
