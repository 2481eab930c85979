// Who is compared: our policies, the peers, and the one that knows the future.

import {
  ClairvoyantPolicy,
  type KnownEngine,
  type KnownRequest,
  peerPolicyNames,
} from '../../src/core/peer-policies/index.ts';
import { createPolicy, PredictivePolicy } from '../../src/core/routing/index.ts';
import {
  type FleetSimulationOptions,
  type PolicyChoice,
  peerPolicyFor,
  type SimulatedEngine,
} from '../../src/core/simulation/index.ts';
import type { Traffic } from './cells.ts';

/** `predictive` over engines without KV events. */
export const withoutEvents = 'predictive-without-events';
/** `predictive` in routers that do not tell each other of their attempts. */
export const withoutSharing = 'predictive-without-sharing';
/** Neither: each router knows what it sent itself. */
export const alone = 'predictive-alone';
/** Dynamo's routers with `router_replica_sync`, which is off by default. */
const dynamoSynced = 'dynamo-replica-sync';
/** Not a contender for the best: nobody can have it. */
export const clairvoyant = 'clairvoyant';
export const contenderNames: readonly string[] = [
  ...['predictive', withoutEvents, withoutSharing, alone, 'kvaware'],
  ...peerPolicyNames.flatMap((name) => (name === 'dynamo' ? [name, dynamoSynced] : [name])),
  clairvoyant,
];

/** Those that differ from another one where there are several routers only. */
const onlyForSeveral: ReadonlySet<string> = new Set([withoutSharing, alone, dynamoSynced]);

/** Of the contenders, those that are worth playing before so many routers. */
export function contendersBefore(routers: number, names: readonly string[]): string[] {
  return names.filter((name) => routers > 1 || !onlyForSeveral.has(name));
}

/** Our routers are deployed so that they tell each other of their attempts, whatever the policy. */
const sharing: ReadonlySet<string> = new Set([
  'predictive',
  withoutEvents,
  'kvaware',
  dynamoSynced,
]);

/**
 * llm-d scrapes each 50 ms. `predictive` counts what other routers sent by reports, so that a fleet with
 * several has `--engine-stats-interval 0.2`. The others do not read metrics.
 */
function reportSecondsOf(name: string): number {
  if (name.startsWith('llmd-')) return 0.05;
  return name.startsWith('predictive') ? 0.2 : 5;
}

export type Contender = Pick<FleetSimulationOptions, 'policy' | 'reportSeconds' | 'sharesAttempts'>;

export function contender(
  name: string,
  traffic: Traffic,
  engines: readonly SimulatedEngine[],
): Contender {
  return {
    policy: policyOf(name, traffic, engines),
    reportSeconds: reportSecondsOf(name),
    sharesAttempts: sharing.has(name),
  };
}

/** How each router of a fleet gets its policy. */
function policyOf(
  name: string,
  traffic: Traffic,
  engines: readonly SimulatedEngine[],
): PolicyChoice {
  if (name === clairvoyant) {
    const requests = traffic.requests.map((request) => knownRequest(request, traffic.blockTokens));
    const engineAt = (url: string) => knownEngine(engines[engineNumber(url)] as SimulatedEngine);
    return ({ random }) => new ClairvoyantPolicy(random, { requests, engineAt });
  }
  if (name === withoutEvents || name === alone) {
    return ({ random }) => new PredictivePolicy(random);
  }
  if (name === dynamoSynced) return peerPolicyFor('dynamo', engines);
  if (peerPolicyNames.includes(name)) return peerPolicyFor(name, engines);
  const own = name === withoutSharing ? 'predictive' : name;
  return (options) => createPolicy(own, options);
}

function knownRequest(request: Traffic['requests'][number], blockTokens: number): KnownRequest {
  const { arrivalSeconds, promptTokens, outputTokens, blockIds } = request;
  const hashes = Float64Array.from(blockIds.slice(0, Math.floor(promptTokens / blockTokens)));
  return { arrivalSeconds, promptTokens, outputTokens, blocks: { hashes, blockTokens } };
}

function knownEngine({ config, cost }: SimulatedEngine): KnownEngine {
  const { numGpuBlocks, blockSize, maxNumBatchedTokens } = config;
  return { cost, maxNumBatchedTokens, kvTokensMax: (numGpuBlocks - 1) * blockSize };
}

/** The simulator names its engines by number. */
function engineNumber(url: string): number {
  return Number(url.slice(url.lastIndexOf('-') + 1));
}
