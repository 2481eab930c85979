// Policies of a simulated fleet by name: those of the router, and those of other projects, built from
// the engines that they are to route to.

import { createPeerPolicy, peerPolicyNames } from '../peer-policies/index.ts';
import { type Policy, policyNames } from '../routing/index.ts';
import type { PolicyChoice, RouterOptions, SimulatedEngine } from './fleet-options.ts';

/** The names that `policyNamed` takes. */
export const simulatedPolicyNames: readonly string[] = [...policyNames, ...peerPolicyNames];

export interface NamedPolicy {
  readonly policy: PolicyChoice;
  /** How often it hears of the engines' gauges; undefined: as the router does. */
  readonly reportSeconds: number | undefined;
}

export function policyNamed(name: string, engines: readonly SimulatedEngine[]): NamedPolicy {
  if (!peerPolicyNames.includes(name)) return { policy: name, reportSeconds: undefined };
  return {
    policy: peerPolicyFor(name, engines),
    reportSeconds: name.startsWith('llmd-') ? llmdScrapeSeconds : undefined,
  };
}

/** How each router of a fleet gets a peer's policy. */
export function peerPolicyFor(
  name: string,
  engines: readonly SimulatedEngine[],
): (options: RouterOptions) => Policy {
  const peakTokensPerSecond = Math.min(...engines.map(peakOf));
  return (options) => createPeerPolicy(name, { ...options, peakTokensPerSecond });
}

/** llm-d scrapes each 50 ms; the other peers do not read metrics. See `peers/README.md`. */
const llmdScrapeSeconds = 0.05;

/** R_peak as llm-d's recipe has it: tokens of a full step of prefill by its time. */
function peakOf({ config, cost }: SimulatedEngine): number {
  const tokens = config.maxNumBatchedTokens;
  const load = {
    ...{ sequences: 1, tokens, prefillTokens: tokens, prefillTokenContext: 0 },
    ...{ prefillTokensSquared: tokens ** 2, decodeSequences: 0, decodeContextTokens: 0 },
  };
  return tokens / cost.stepSeconds(load);
}
