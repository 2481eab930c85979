// How a policy is given to a simulation.
import type { Policy, PolicyOptions } from '../routing/index.ts';

/** By name; or one object, for a single router; or a factory called for each router. */
export type PolicyChoice = Policy | string | ((options: PolicyOptions) => Policy);
