// The settings that follow from a decided layout: policy, batch, host memory, disaggregation.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { type Decision, type PlanRouting, routingOfLlmd } from '../../core/plan/index.ts';
import type { EngineLayout } from './layout.ts';
import type { Plan } from './plan.ts';
import { isConversation, requestsAtRate } from './plan-traffic.ts';
import type { PlanWorkload } from './resolve-input.ts';

/** Share of a host's spare memory that a plan gives to KV; the rest is page cache and staging. */
const hostShare = 0.8;
/**
 * Of the fleet's whole working set and of HBM's cache, so much should fit beside each engine: routing
 * spreads a prefix over more engines than one, and a mirror no larger than HBM gains nothing.
 */
const offloadSpare = 1.2;
/** Requests of one simulated fleet: in so many rounds of the clients, and between these numbers. */
const rounds = 2.5;
export const requestsMin = 400;
const requestsMax = 1200;
/** Tokens that one simulated fleet computes at most, about: keeps the plan within its time. */
const simulatedTokensMax = 16e6;

/** What routes the requests, and why. */
export interface Routing {
  /** Of Spillway's router: what the values file says. */
  readonly policy: string;
  readonly because: string;
  /** What the fleets are simulated behind; differs where the router is settled and not Spillway's. */
  readonly simulated: string;
  /** Routers that the fleet may get as well, as far as the input says: intervals hold them, too. */
  readonly alternatives: readonly string[];
}

/** @param settled What the input says of it. */
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
    return chosen('roundrobin', 'one engine leaves nothing to choose');
  }
  const best =
    prefixReuse === 'none'
      ? chosen('predictive', 'nothing is shared, so the shortest predicted wait decides')
      : chosen(
          'kvaware',
          'prompts share prefixes, and the engines’ KV events say exactly who holds which blocks',
          [routingOfLlmd],
        );
  if (settled === undefined) return best;
  if (settled === routingOfLlmd) return { ...best, simulated: settled, alternatives: [] };
  return chosen(settled, 'the input says so');
}

/** Twice what is in flight per engine, as a power of two: a burst queues in the engine, not the router. */
export function seqsFor({ config, gpu }: EngineLayout, perEngine: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * perEngine)));
  const least = gpu.memoryBytes === undefined ? 8 : 64;
  return Math.min(config.maxNumSeqs, Math.max(least, wanted));
}

/** Host memory for KV per engine: what can be used, of what there is. GiB. */
export function offloadSize(
  { model, kvTokens }: EngineLayout,
  setTokens: number,
  hostDramGiB: number,
): { readonly offloadGiB: number; readonly spareGiB: number } {
  const gib = (tokens: number) => (tokens * kvBytesPerToken(model)) / 2 ** 30;
  const wanted = gib(Math.max(setTokens, kvTokens) * offloadSpare);
  const offloadGiB = Math.max(1, Math.floor(Math.min(hostDramGiB * hostShare, wanted)));
  return { offloadGiB, spareGiB: Math.max(0, Math.floor(hostDramGiB * hostShare) - offloadGiB) };
}

export function requestsFor(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, prefixGroups } = workload;
  const affordable = simulatedTokensMax / (promptTokens.mean + outputTokens.mean * 10);
  const wanted = Math.min(requestsMax, Math.max(requestsMin, rounds * concurrency));
  // Conversations under way all begin at once: their second turns are what counts.
  const conversation = isConversation(workload);
  const underWay = conversation ? Math.max(concurrency, prefixGroups) : concurrency;
  // At a rate nothing begins at once, and in an overloaded fleet what is under way has no end.
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
      because: 'it needs prompts over 512 tokens, answers over 200, and at least 4 GPUs',
    };
  }
  if (prefixReuse !== 'none') {
    return {
      advised: false,
      because:
        'prompts are mostly cached, so prefills are short and chunked beside decodes; each would have to be moved',
    };
  }
  return {
    advised: true,
    because:
      'long prompts without reuse beside long answers, on 4 GPUs or more: try 1 prefill to 1 decode engine and measure',
  };
}
