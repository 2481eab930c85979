// Policies of a simulated fleet by name: those of the router, and those of other projects.
import { peerPolicies } from '../peer-policies/index.ts';
import { type PolicyDefinition, policies } from '../routing/index.ts';
import type { PolicyChoice } from './policy-choice.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

const simulatedPolicies: readonly PolicyDefinition[] = [...policies, ...peerPolicies];

/** The names that `policyNamed` accepts. */
export const simulatedPolicyNames: readonly string[] = simulatedPolicies.map(({ name }) => name);

export interface NamedPolicy {
  readonly policy: PolicyChoice;
  /** Interval at which it reads the engines' gauges; undefined: the router's interval. */
  readonly reportSeconds: number | undefined;
}

/**
 * Returns the factory that gives each router of a fleet the policy of this name. Parameters that a
 * deployment would measure on its engines are computed for these engines.
 *
 * @throws {RangeError} If there is no policy of this name.
 */
export function policyNamed(name: string, engines: readonly SimulatedEngine[]): NamedPolicy {
  const definition = simulatedPolicies.find((policy) => policy.name === name);
  if (definition === undefined) throw new RangeError(`There is no policy "${name}" to simulate`);
  const measured = { peakTokensPerSecond: Math.min(...engines.map(peakOf)) };
  return {
    policy: (options) =>
      definition.create({ ...options, parameters: { ...measured, ...options.parameters } }),
    reportSeconds: definition.consumes.engineReports?.everySeconds,
  };
}

/** R_peak as in llm-d's recipe: tokens of a full prefill step divided by its duration. */
function peakOf({ config, cost }: SimulatedEngine): number {
  const tokens = config.maxNumBatchedTokens;
  const load = {
    ...{ sequences: 1, tokens, prefillTokens: tokens, prefillTokenContext: 0 },
    ...{ prefillTokensSquared: tokens ** 2, decodeSequences: 0, decodeContextTokens: 0 },
  };
  return tokens / cost.stepSeconds(load);
}
