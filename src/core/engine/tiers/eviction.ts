// The order in which a tier evicts its chunks: vLLM's `eviction_policy`.
import { ArcEviction } from './arc-eviction.ts';
import type { EvictionPolicy } from './eviction-policy.ts';

import { LruEviction } from './lru-eviction.ts';

export const evictionPolicies = ['lru', 'arc'] as const;
export type EvictionPolicyName = (typeof evictionPolicies)[number];

export function evictionPolicy(name: EvictionPolicyName, chunksMax: number): EvictionPolicy {
  return name === 'lru' ? new LruEviction() : new ArcEviction(chunksMax);
}
