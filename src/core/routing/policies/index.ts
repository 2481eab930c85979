// The table of policies: the names that `--routing-logic` takes, and how each is made.
import { InputError, type Random } from '../../base/index.ts';
import type { Policy } from '../contract.ts';
import { RoundRobinPolicy } from './roundrobin/roundrobin.ts';

/** What a policy may be built from; each takes what it needs. */
export interface PolicyOptions {
  readonly random: Random;
}

const policies: Readonly<Record<string, (options: PolicyOptions) => Policy>> = {
  roundrobin: () => new RoundRobinPolicy(),
};

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
