// The policies of the router as one table: their names, their parameters, and how one is created.
import { InputError, nearest } from '../base/index.ts';
import type { Policy } from './contract.ts';
import type { PolicyDefinition, PolicyOptions } from './define-policy.ts';
import * as definitions from './policies/index.ts';
import type { DeclaredParameter, ParameterValues } from './policy-parameter.ts';
import { isDisaggregated, rolePolicyNames } from './role-policy.ts';

/** A name that `--routing-logic` accepts. */
export type PolicyName = (typeof definitions)[keyof typeof definitions]['name'];

/** The default policy. */
export const defaultPolicyName: PolicyName = 'predictive';

/** All policies of the router, in alphabetical order, the order of a module's exports. */
export const policies: readonly PolicyDefinition<PolicyName>[] = Object.values(definitions);

/** The names that `createPolicy` accepts. */
export const policyNames: readonly PolicyName[] = policies.map(({ name }) => name);

/** The parameters of all policies; no two share a name, a flag or a values key. */
export const policyParameters: readonly DeclaredParameter[] = policies.flatMap(
  ({ parameters }) => parameters,
);

/** The policy of a name, or undefined if the router has none. */
export function findPolicy(name: string): PolicyDefinition | undefined {
  return policies.find((policy) => policy.name === name);
}

/** Whether a policy of the router requires the engines' KV events. */
export function requiresKvEvents(name: string): boolean {
  return findPolicy(name)?.consumes.kvEvents === 'required';
}

/** @throws {InputError} If there is no policy of this name, or a parameter is out of range. */
export function createPolicy(name: string, options: PolicyOptions): Policy {
  return (findPolicy(name) ?? unknownPolicy(name)).create(options);
}

/** @throws {InputError} If the router has no policy of this name, neither for engines alike nor for those that prefill and decode. */
export function checkPolicyName(name: string): void {
  if (findPolicy(name) === undefined && !isDisaggregated(name)) unknownPolicy(name);
}

function unknownPolicy(name: string): never {
  const known = [...policyNames, ...rolePolicyNames];
  const near = nearest(name, known);
  throw new InputError(
    `There is no routing policy "${name}"; ${near === undefined ? '' : `did you mean ${near}? `}--routing-logic takes ${known.join(', ')}.`,
  );
}

/** The given parameters that belong to other policies, and therefore have no effect on these. */
export function unusedParameters(
  names: readonly string[],
  given: ParameterValues,
): DeclaredParameter[] {
  return policyParameters.filter(
    (parameter) => !names.includes(parameter.policy) && given[parameter.name] !== undefined,
  );
}
