// The table of policies: the names that `--routing-logic` takes, and how each is made.
import { InputError, type Random } from '../../base/index.ts';
import { KvIndex } from '../../kv/index.ts';
import type { Policy } from '../contract.ts';
import { KvAwarePolicy } from './kvaware/kvaware.ts';
import { LeastLoadedPolicy } from './leastloaded/leastloaded.ts';
import { PredictivePolicy } from './predictive/predictive.ts';
import { PrefixAwarePolicy } from './prefixaware/prefixaware.ts';
import { RoundRobinPolicy } from './roundrobin/roundrobin.ts';
import { SessionPolicy } from './session/session.ts';

/** What a policy may be built from; each takes what it needs. */
export interface PolicyOptions {
  readonly random: Random;
  /** `--prefix-min-match-length`: a shorter match, in bytes, counts as none. @default 0 */
  readonly prefixMinMatchLength?: number | undefined;
  /** What `kvaware` and `predictive` read; somebody must feed it the engines' KV events. */
  readonly kvIndex?: KvIndex | undefined;
  /** `--kv-aware-threshold`, in tokens: see `KvAwareOptions.uncachedTokensMax`. */
  readonly kvAwareThreshold?: number | undefined;
}

const policies: Readonly<Record<string, (options: PolicyOptions) => Policy>> = {
  kvaware: ({ random, kvIndex = new KvIndex(), kvAwareThreshold }) =>
    new KvAwarePolicy(new LeastLoadedPolicy(random), kvIndex, {
      uncachedTokensMax: kvAwareThreshold,
    }),
  leastloaded: ({ random }) => new LeastLoadedPolicy(random),
  predictive: ({ random, kvIndex }) => new PredictivePolicy(random, { kvIndex }),
  prefixaware: ({ random, prefixMinMatchLength }) =>
    new PrefixAwarePolicy(new LeastLoadedPolicy(random), { matchBytesMin: prefixMinMatchLength }),
  roundrobin: () => new RoundRobinPolicy(),
  session: ({ random }) => new SessionPolicy(new LeastLoadedPolicy(random)),
};

/** The policy that routes unless another is asked for. */
export const defaultPolicyName = 'predictive';

/** The names that `createPolicy` takes. */
export const policyNames: readonly string[] = Object.keys(policies);

/** @throws {InputError} If there is no policy of this name. */
export function createPolicy(name: string, options: PolicyOptions): Policy {
  const create = Object.hasOwn(policies, name) ? policies[name] : undefined;
  if (create) return create(options);
  throw new InputError(
    `There is no routing policy "${name}"; --routing-logic takes ${policyNames.join(', ')}.`,
  );
}
