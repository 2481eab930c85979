// The routing policy that a router's options select.
import { seededRandom } from '../../../core/base/index.ts';
import type { KvIndex } from '../../../core/kv/index.ts';
import {
  createPolicy,
  findPolicy,
  isDisaggregated,
  type Policy,
  RolePolicy,
  type TierIndex,
} from '../../../core/routing/index.ts';
import type { RouterOptions } from '../options.ts';
import { disaggregationFor } from './disaggregation.ts';

/** Interval between readings of engines' metrics, unless the policy declares another. */
const statsSecondsDefault = 5;

/** @throws {InputError} If there is no policy of this name, or a parameter is out of range. */
export function routerPolicy(
  name: string,
  options: RouterOptions,
  { kvIndex, tiers }: { readonly kvIndex: KvIndex; readonly tiers: TierIndex },
): Policy {
  const create = (one: string) =>
    createPolicy(one, {
      random: seededRandom(Date.now()),
      kvIndex,
      tiers,
      followsKvEvents: options.kvEvents,
      parameters: options.policyParameters,
    });
  if (!isDisaggregated(name)) return create(name);
  const { prefillPolicy, decodePolicy } = disaggregationFor(name, options.disaggregation);
  return new RolePolicy(name, { prefill: create(prefillPolicy), decode: create(decodePolicy) });
}

/** Interval between readings of engines' metrics. */
export function statsIntervalMs(policyName: string, options: RouterOptions): number {
  const { prefillPolicy = policyName, decodePolicy = policyName } = isDisaggregated(policyName)
    ? (options.disaggregation ?? {})
    : {};
  const everySeconds = [prefillPolicy, decodePolicy].map(
    (name) => findPolicy(name)?.consumes.engineReports?.everySeconds ?? statsSecondsDefault,
  );
  return options.statsIntervalMs ?? Math.min(...everySeconds) * 1000;
}
