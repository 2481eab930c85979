// The table of peers: routing as other projects do it, for comparison on the simulator. The router
// does not offer them.
import type { Random } from '../base/index.ts';
import type { KvIndex } from '../kv/index.ts';
import type { Policy } from '../routing/index.ts';
import { AibrixPrefixCachePolicy } from './aibrix-prefix-cache.ts';
import { CacheAwarePolicy } from './cache-aware.ts';
import { DynamoPolicy } from './dynamo.ts';
import { LlmdStickyPolicy } from './llmd-sticky.ts';
import { LlmdWeightedPolicy, type ScorerWeights } from './llmd-weighted.ts';
import { approximatePrefixes, type PrefixSource, precisePrefixes } from './prefix-source.ts';
import { ProductionStackPrefixAwarePolicy } from './production-stack-prefixaware.ts';
import { LeastRequestPolicy, RandomPolicy } from './without-memory.ts';

export interface PeerOptions {
  readonly random: Random;
  /** What the precise ones read; somebody must feed it the engines' KV events. */
  readonly kvIndex: KvIndex;
  /** R_peak of llm-d's sticky policies, measured on the engines. */
  readonly peakTokensPerSecond?: number | undefined;
}

const equal: ScorerWeights = { prefix: 1, queue: 1, kvUsage: 1 };
const builtIn: ScorerWeights = { prefix: 3, queue: 2, kvUsage: 2 };

const peers: Readonly<Record<string, (name: string, options: PeerOptions) => Policy>> = {
  'llmd-111-approximate': (name, { random }) =>
    new LlmdWeightedPolicy({ name, random, weights: equal, prefixes: approximatePrefixes() }),
  'llmd-111-precise': (name, options) =>
    new LlmdWeightedPolicy({ ...{ name, weights: equal }, ...precise(options) }),
  'llmd-322-approximate': (name, { random }) =>
    new LlmdWeightedPolicy({ name, random, weights: builtIn, prefixes: approximatePrefixes() }),
  'llmd-322-precise': (name, options) =>
    new LlmdWeightedPolicy({ ...{ name, weights: builtIn }, ...precise(options) }),
  'llmd-sticky-approximate': (name, { random, peakTokensPerSecond }) =>
    new LlmdStickyPolicy({ name, random, peakTokensPerSecond, prefixes: approximatePrefixes() }),
  'llmd-sticky-precise': (name, options) => {
    const { peakTokensPerSecond } = options;
    return new LlmdStickyPolicy({ ...{ name, peakTokensPerSecond }, ...precise(options) });
  },
  dynamo: (name, { random, kvIndex }) =>
    // Its predicted side index (--router-predicted-ttl-secs) is off by default.
    new DynamoPolicy({ name, random, prefixes: precisePrefixes(kvIndex, { speculates: false }) }),
  'smg-cache-aware': () => new CacheAwarePolicy(),
  'aibrix-prefix-cache': (_, { random }) => new AibrixPrefixCachePolicy(random),
  'production-stack-prefixaware': (_, { random }) => new ProductionStackPrefixAwarePolicy(random),
  'least-request': (_, { random }) => new LeastRequestPolicy(random),
  random: (_, { random }) => new RandomPolicy(random),
};

/** The names that `createPeerPolicy` takes. */
export const peerPolicyNames: readonly string[] = Object.keys(peers);

/** @throws {RangeError} If there is no peer of this name. */
export function createPeerPolicy(name: string, options: PeerOptions): Policy {
  const create = Object.hasOwn(peers, name) ? peers[name] : undefined;
  if (create) return create(name, options);
  throw new RangeError(`There is no peer policy "${name}", only ${peerPolicyNames.join(', ')}`);
}

function precise({ random, kvIndex }: PeerOptions): {
  readonly random: Random;
  readonly prefixes: PrefixSource;
} {
  return { random, prefixes: precisePrefixes(kvIndex, { speculates: true }) };
}
