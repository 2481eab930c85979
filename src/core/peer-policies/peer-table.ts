// The table of peers: the routing of other projects, for comparison on the simulator. The router does not offer
// them.
import type { Policy, PolicyDefinition, PolicyOptions } from '../routing/index.ts';
import { aibrixPrefixCache } from './aibrix-prefix-cache.ts';
import { cacheAware } from './cache-aware.ts';
import { dynamo } from './dynamo.ts';
import { llmdSticky } from './llmd-sticky.ts';
import { llmdWeighted } from './llmd-weighted.ts';
import { productionStackPrefixAware } from './production-stack-prefixaware.ts';
import { anyEngine, leastRequest } from './without-memory.ts';

export const peerPolicies: readonly PolicyDefinition[] = [
  ...llmdWeighted,
  ...llmdSticky,
  dynamo,
  cacheAware,
  aibrixPrefixCache,
  productionStackPrefixAware,
  leastRequest,
  anyEngine,
];

/** The names that `createPeerPolicy` accepts. */
export const peerPolicyNames: readonly string[] = peerPolicies.map(({ name }) => name);

/** @throws {RangeError} If there is no peer with this name. */
export function createPeerPolicy(name: string, options: PolicyOptions): Policy {
  const peer = peerPolicies.find((policy) => policy.name === name);
  if (peer) return peer.create(options);
  throw new RangeError(`There is no peer policy "${name}", only ${peerPolicyNames.join(', ')}`);
}
