// The settings that follow from a decided layout: policy, batch, host memory, disaggregation.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { type Decision, type PlanRouting, routingOfLlmd } from '../../core/plan/index.ts';
import type { EngineLayout } from './layout.ts';
import type { Plan, Routing } from './plan.ts';
import { isConversation, requestsAtRate } from './plan-traffic.ts';
import type { PlanWorkload } from './resolve-input.ts';

/** Share of a host's spare memory for KV cache; the rest is for page cache and staging. */
const hostShare = 0.8;
/**
 * Host memory per engine over the larger of the fleet's working set and the KV cache in HBM. Routing spreads a
 * prefix over several engines, and a mirror no larger than HBM gains nothing.
 */
const offloadSpare = 1.2;
/** Number of rounds of the clients in one simulated fleet, and bounds of its requests. */
const rounds = 2.5;
export const requestsMin = 400;
const requestsMax = 1200;
/** Approximate maximum number of tokens in one simulated fleet; bounds the run time of a plan. */
const simulatedTokensMax = 16e6;

/** @param settled Policy that the input sets. */
export function routing(
  { stack }: Decision,
  engines: number,
  { prefixReuse }: PlanWorkload,
  settled: PlanRouting | undefined,
): Routing {
  const chosen = (policy: string, because: string, alternatives: readonly string[] = []) => {
    return { policy, because, simulated: policy, alternatives };
  };
  if (stack === 'single-engine' || engines === 1) {
    return chosen('roundrobin', 'there is only one engine to choose');
  }
  const best =
    prefixReuse === 'none'
      ? chosen('predictive', 'prompts share nothing, so the shortest predicted wait decides')
      : chosen(
          'predictive',
          'prompts share prefixes: it reads the KV events of the engines, as kvaware does, and weighs what is cached against the load',
          [routingOfLlmd],
        );
  if (settled === undefined) return best;
  if (settled === routingOfLlmd) return { ...best, simulated: settled, alternatives: [] };
  return chosen(settled, 'the input says so');
}

/** Returns twice the requests in flight per engine as a power of two, so that bursts queue in the engine. */
export function seqsFor({ config, gpu }: EngineLayout, perEngine: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * perEngine)));
  const least = gpu.memoryBytes === undefined ? 8 : 64;
  return Math.min(config.maxNumSeqs, Math.max(least, wanted));
}

/** Returns the usable host memory for KV cache per engine, in GiB. */
export function offloadSize(
  { model, kvTokens, tensorParallelSize, pipelineParallelSize }: EngineLayout,
  setTokens: number,
  hostDramGiB: number,
): { readonly offloadGiB: number; readonly spareGiB: number } {
  const gib = (tokens: number) => (tokens * kvBytesPerToken(model)) / 2 ** 30;
  const wanted = gib(Math.max(setTokens, kvTokens) * offloadSpare);
  // LMCache allocates host memory in each worker process, in whole GB.
  const workers = tensorParallelSize * pipelineParallelSize;
  const perWorker = Math.floor(Math.min(hostDramGiB * hostShare, wanted) / workers);
  const offloadGiB = Math.max(1, perWorker) * workers;
  return { offloadGiB, spareGiB: Math.max(0, Math.floor(hostDramGiB * hostShare) - offloadGiB) };
}

export function requestsFor(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, prefixGroups } = workload;
  const affordable = simulatedTokensMax / (promptTokens.mean + outputTokens.mean * 10);
  const wanted = Math.min(requestsMax, Math.max(requestsMin, rounds * concurrency));
  // All conversations start at once, so their second turns matter.
  const conversation = isConversation(workload);
  const underWay = conversation ? Math.max(concurrency, prefixGroups) : concurrency;
  // At a rate requests do not start at once, and an overloaded fleet has no stable concurrency.
  const least =
    workload.concurrency === undefined
      ? requestsAtRate(workload)
      : underWay * (conversation ? 4 : 2.5);
  return Math.round(Math.max(Math.min(wanted, affordable), least, 60));
}

/** Thresholds of the lesson on disaggregated serving (phase 17, lesson 17). */
export function disaggregation(
  { promptTokens, outputTokens, prefixReuse }: PlanWorkload,
  engines: number,
  { gpusPerEngine }: EngineLayout,
): Plan['disaggregation'] {
  const enough = promptTokens.mean > 512 && outputTokens.mean > 200 && engines * gpusPerEngine >= 4;
  if (!enough) {
    return {
      advised: false,
      because: 'it needs prompts over 512 tokens, responses over 200, and at least 4 GPUs',
    };
  }
  if (prefixReuse !== 'none') {
    return {
      advised: false,
      because:
        'prompts are mostly cached, so prefills are short chunks next to decodes, while disaggregation would transfer every prompt',
    };
  }
  return {
    advised: true,
    because:
      'disaggregating them is worth a trial with long prompts without reuse and long responses on 4 GPUs or more',
  };
}
