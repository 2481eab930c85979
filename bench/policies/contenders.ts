// Who is compared: our policies, the peers, and the one that knows the future.
import {
  ClairvoyantPolicy,
  createPolicy,
  type KnownEngine,
  type KnownRequest,
  type Policy,
  PredictivePolicy,
  peerPolicyNames,
} from '../../src/core/routing/index.ts';
import {
  peerPolicyFor,
  type RouterOptions,
  type SimulatedEngine,
} from '../../src/core/simulation/index.ts';
import type { Traffic } from './cells.ts';

/** `predictive` over engines without KV events. */
export const withoutEvents = 'predictive-without-events';
export const ours = ['predictive', withoutEvents, 'kvaware'] as const;
/** Not a contender for the best: nobody can have it. */
export const clairvoyant = 'clairvoyant';
export const contenderNames: readonly string[] = [...ours, ...peerPolicyNames, clairvoyant];

/**
 * llm-d scrapes each 50 ms. `predictive` counts what other routers sent by reports, so that a fleet with
 * several has `--engine-stats-interval 0.2`. The others do not read metrics.
 */
export function reportSecondsOf(name: string): number {
  if (name.startsWith('llmd-')) return 0.05;
  return name.startsWith('predictive') ? 0.2 : 5;
}

/** How each router of a fleet gets its policy. */
export function contender(
  name: string,
  traffic: Traffic,
  engines: readonly SimulatedEngine[],
): (options: RouterOptions) => Policy {
  if (name === clairvoyant) {
    const requests = traffic.requests.map((request) => knownRequest(request, traffic.blockTokens));
    const engineAt = (url: string) => knownEngine(engines[engineNumber(url)] as SimulatedEngine);
    return ({ random }) => new ClairvoyantPolicy(random, { requests, engineAt });
  }
  if (name === withoutEvents) return ({ random }) => new PredictivePolicy(random);
  if (!peerPolicyNames.includes(name)) return (options) => createPolicy(name, options);
  return peerPolicyFor(name, engines);
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
