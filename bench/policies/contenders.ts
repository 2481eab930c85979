// The compared policies: ours, the peers', and a clairvoyant one.

import {
  clairvoyantOf,
  type KnownEngine,
  type KnownRequest,
  peerPolicyNames,
} from '../../src/core/peer-policies/index.ts';
import { createPolicy } from '../../src/core/routing/index.ts';
import {
  type FleetSimulationOptions,
  type PolicyChoice,
  policyNamed,
  type SimulatedEngine,
} from '../../src/core/simulation/index.ts';
import type { Traffic } from './cells.ts';

/** `predictive` over engines without KV events. */
export const withoutEvents = 'predictive-without-events';
/** `predictive` in routers that do not share their attempts. */
export const withoutSharing = 'predictive-without-sharing';
/** Without either: each router knows only its own requests. */
export const alone = 'predictive-alone';
/** Dynamo's routers with `router_replica_sync`, which is off by default. */
const dynamoSynced = 'dynamo-replica-sync';
/** Not in the comparison for the best, because no real router can have it. */
export const clairvoyant = 'clairvoyant';
export const contenderNames: readonly string[] = [
  ...['predictive', withoutEvents, withoutSharing, alone, 'kvaware', 'session', 'roundrobin'],
  ...peerPolicyNames.flatMap((name) => (name === 'dynamo' ? [name, dynamoSynced] : [name])),
  clairvoyant,
];

/** Contenders that differ from another one only with several routers. */
const onlyForSeveral: ReadonlySet<string> = new Set([withoutSharing, alone, dynamoSynced]);

/** Returns the contenders that are worth simulating behind this many routers. */
export function contendersBefore(routers: number, names: readonly string[]): string[] {
  return names.filter((name) => routers > 1 || !onlyForSeveral.has(name));
}

/** Our routers share their attempts, whatever the policy. */
const sharing: ReadonlySet<string> = new Set([
  'predictive',
  withoutEvents,
  'kvaware',
  dynamoSynced,
]);

/**
 * A peer's interval is the one that it declares. `predictive` counts other routers' requests from
 * reports, so a fleet with several routers has `--engine-stats-interval 0.2`. The others have the
 * router's default.
 */
function reportSecondsOf(name: string, engines: readonly SimulatedEngine[]): number {
  if (name.startsWith('predictive')) return 0.2;
  const declared = peerPolicyNames.includes(name) ? policyNamed(name, engines) : undefined;
  return declared?.reportSeconds ?? 5;
}

export type Contender = Pick<FleetSimulationOptions, 'policy' | 'reportSeconds' | 'sharesAttempts'>;

export function contender(
  name: string,
  traffic: Traffic,
  engines: readonly SimulatedEngine[],
): Contender {
  return {
    policy: policyOf(name, traffic, engines),
    reportSeconds: reportSecondsOf(name, engines),
    sharesAttempts: sharing.has(name),
  };
}

/** Creates the policy for each router of a fleet. */
function policyOf(
  name: string,
  traffic: Traffic,
  engines: readonly SimulatedEngine[],
): PolicyChoice {
  if (name === clairvoyant) {
    const requests = traffic.requests.map((request) => knownRequest(request, traffic.blockTokens));
    const engineAt = (url: string) => knownEngine(engines[engineNumber(url)] as SimulatedEngine);
    return clairvoyantOf({ requests, engineAt }).create;
  }
  if (name === withoutEvents || name === alone) {
    return (options) => createPolicy('predictive', { ...options, followsKvEvents: false });
  }
  if (name === dynamoSynced) return policyNamed('dynamo', engines).policy;
  if (peerPolicyNames.includes(name)) return policyNamed(name, engines).policy;
  const own = name === withoutSharing ? 'predictive' : name;
  return (options) => createPolicy(own, { ...options, followsKvEvents: true });
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
