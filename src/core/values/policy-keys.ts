// The keys of routerSpec that set parameters of routing policies, from the policies' declarations.
import { z } from 'zod';
import {
  type DeclaredParameter,
  type ParameterValues,
  policyParameters,
} from '../routing/index.ts';
import { ours, upstream } from './schema-keys.ts';

/**
 * Adds the parameters of all policies to the keys of routerSpec, after `routingLogic`. Code reads
 * them with `policyParametersOf`, so the types of the other keys do not change.
 *
 * @throws {RangeError} If a parameter has the key of another setting.
 */
export function withPolicyKeys<T extends Readonly<Record<string, z.ZodType>>>(keys: T): T {
  const own = policyParameters.map(
    (parameter) => [parameter.valuesKey, parameterSchema(parameter)] as const,
  );
  const taken = own.find(([key]) => Object.hasOwn(keys, key));
  if (taken) throw new RangeError(`routerSpec.${taken[0]} is a policy's parameter and another key`);
  const all = Object.entries(keys).flatMap((entry) =>
    entry[0] === 'routingLogic' ? [entry, ...own] : [entry],
  );
  return Object.fromEntries(all) as T;
}

/** Returns the policy parameters that a routerSpec sets, by their names. */
export function policyParametersOf(routerSpec: object): ParameterValues {
  const values = new Map<string, unknown>(Object.entries(routerSpec));
  return Object.fromEntries(
    policyParameters.map(({ name, valuesKey }) => [
      name,
      values.get(valuesKey) as number | undefined,
    ]),
  );
}

/** Returns the schema of a parameter's values in a values file. */
export function parameterSchema(parameter: DeclaredParameter): z.ZodType {
  const { type, min, max, unit, policy, help } = parameter;
  const least = (type === 'integer' ? z.int() : z.number()).min(min);
  const bounded = max === undefined ? least : least.max(max);
  const schema =
    parameter.default === undefined ? bounded.optional() : bounded.default(parameter.default);
  const origin = parameter.upstream?.valuesKey === undefined ? ours : upstream;
  return origin(schema, `Parameter of ${policy}, in ${unit}: ${help}.`);
}
