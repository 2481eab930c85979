// So many clients at one engine, each sending its next request when the one before is answered:
// how serving benchmarks measure a point. Steps in which nothing but decoding happens are taken
// many at a time, and none looks at each request that decodes, so a point costs its requests, not its
// tokens, nor its clients.
import { type Random, seededRandom } from '../base/index.ts';
import type { StepCostModel, StepLoad } from '../engine/index.ts';
import { Decodes } from './decodes.ts';

export interface ClosedLoopOptions {
  readonly cost: StepCostModel;
  /** Capacity of the KV cache, in tokens. */
  readonly kvTokensMax: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly clients: number;
  /** Requests in all; the first `clients` are sent together. */
  readonly requests: number;
  /** Longest prompt and output; lengths are drawn evenly from `shortest` · longest up. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** @default 0.8 */
  readonly shortest?: number;
  /** From the client's sending to the engine's queue: HTTP, tokens from text. @default 0 */
  readonly arrivalSeconds?: number;
  /**
   * Whether a step is planned while the one before runs (vLLM's `--async-scheduling`): who arrives
   * during a step then waits for the next one too. @default false
   */
  readonly plansAhead?: boolean;
  /** @default 1 */
  readonly seed?: number;
}

export interface ClosedLoopResult {
  readonly meanTtftSeconds: number;
  /** Over requests of more than one token. */
  readonly meanTpotSeconds: number;
  /** Share of requests that waited for a place in the batch or in the KV cache, or lost theirs. */
  readonly waitedShare: number;
}

interface Request {
  readonly sentSeconds: number;
  /** When the engine sees it. */
  readonly arrivedSeconds: number;
  /** Tokens to compute before the next is sampled: the prompt; after a preemption, all so far. */
  prefill: number;
  computed: number;
  readonly output: number;
  generated: number;
  firstSeconds: number;
  waited: boolean;
}

/**
 * Serves the requests first come, first served, with chunked prefill and recomputing preemption as
 * `EngineModel` does, but with KV counted in tokens and no prefix shared.
 */
export function closedLoop(options: ClosedLoopOptions): ClosedLoopResult {
  const { cost, kvTokensMax, maxNumSeqs, maxNumBatchedTokens, clients, requests } = options;
  const { shortest = 0.8, seed = 1, arrivalSeconds = 0, plansAhead = false } = options;
  const random = seededRandom(seed);
  /** Sent, and not yet arrived when the coming step was planned; in order of arrival. */
  const coming: Request[] = [];
  const waiting: Request[] = [];
  /** In the batch; in order of admission, all of them younger than those that decode. */
  let prefilling: Request[] = [];
  const decoding = new Decodes<Request>();
  let [now, sent, finished, ttft, tpot, tpotCount, waited, kvTokens] = [0, 0, 0, 0, 0, 0, 0, 0];
  let plannedSeconds = 0;
  const send = () => {
    if (sent++ >= requests) return;
    coming.push({
      sentSeconds: now,
      arrivedSeconds: now + arrivalSeconds,
      prefill: draw(options.promptTokens, shortest, random),
      computed: 0,
      output: draw(options.outputTokens, shortest, random),
      generated: 0,
      firstSeconds: NaN,
      waited: false,
    });
  };
  const end = (request: Request) => {
    finished++;
    kvTokens -= request.computed;
    waited += request.waited ? 1 : 0;
    ttft += request.firstSeconds - request.sentSeconds;
    if (request.output > 1) {
      tpot += (now - request.firstSeconds) / (request.output - 1);
      tpotCount++;
    }
    send();
  };
  const decodingVictim = () => {
    const victim = decoding.takeYoungest() as Request;
    victim.prefill = victim.computed + 1;
    return victim;
  };
  const running = () => decoding.count + prefilling.length;
  for (let i = 0; i < clients; i++) send();
  while (finished < requests && running() + waiting.length + coming.length > 0) {
    if (running() + waiting.length === 0) {
      now = Math.max(now, (coming[0] as Request).arrivedSeconds);
      plannedSeconds = now;
    }
    while (coming[0] && coming[0].arrivedSeconds <= plannedSeconds) {
      waiting.push(coming.shift() as Request);
    }
    // Who decodes needs one more token each; the youngest lose their place if there is none.
    while (running() > 1 && kvTokens + running() > kvTokensMax) {
      const victim = prefilling.pop() ?? decodingVictim();
      kvTokens -= victim.computed;
      victim.computed = 0;
      victim.waited = true;
      waiting.unshift(victim);
    }
    let budget = maxNumBatchedTokens - decoding.count;
    const chunks: [Request, number][] = [];
    const take = (request: Request) => {
      const chunk = Math.min(request.prefill - request.computed, budget);
      if (chunk > 0) chunks.push([request, chunk]);
      budget -= chunk;
    };
    for (const request of prefilling) take(request);
    // Whoever is in keeps room for its whole prompt.
    let reserved = decoding.tokens + decoding.count;
    for (const { prefill } of prefilling) reserved += prefill;
    for (let next = waiting[0]; next && budget > 0; next = waiting[0]) {
      const full = running() >= maxNumSeqs || reserved + next.prefill > kvTokensMax;
      if (full && running() > 0) {
        // Those at the front have waited before.
        for (let i = waiting.length - 1; i >= 0 && !(waiting[i] as Request).waited; i--) {
          (waiting[i] as Request).waited = true;
        }
        break;
      }
      waiting.shift();
      prefilling.push(next);
      reserved += next.prefill;
      take(next);
    }
    let steps = 1;
    if (chunks.length === 0) {
      steps = Math.min(decoding.stepsLeft, Math.floor((kvTokensMax - kvTokens) / decoding.count));
      if (coming[0]) {
        const each = cost.stepSeconds(loadOf(decoding, chunks, 0));
        steps = Math.min(steps, Math.ceil((coming[0].arrivedSeconds - now) / each));
      }
      steps = Math.max(1, steps);
    }
    const stepSeconds = cost.stepSeconds(loadOf(decoding, chunks, (steps - 1) / 2));
    now += steps * stepSeconds;
    plannedSeconds = plansAhead ? now - stepSeconds : now;
    for (const [request, chunk] of chunks) request.computed += chunk;
    kvTokens += sumOf(chunks) + steps * decoding.count;
    decoding.advance(steps);
    for (let ended = decoding.takeEnded(); ended; ended = decoding.takeEnded()) end(ended);
    if (chunks.length === 0) continue;
    const prefilled = prefilling.filter(({ computed, prefill }) => computed >= prefill);
    prefilling = prefilling.filter(({ computed, prefill }) => computed < prefill);
    for (const request of prefilled) {
      if (request.generated++ === 0) request.firstSeconds = now;
      if (request.generated < request.output) decoding.begin(request);
      else end(request);
    }
  }
  return {
    meanTtftSeconds: ttft / finished,
    meanTpotSeconds: tpot / Math.max(1, tpotCount),
    waitedShare: waited / finished,
  };
}

function draw(longest: number, shortest: number, random: Random): number {
  return Math.max(1, Math.round(longest * (shortest + (1 - shortest) * random.next())));
}

function sumOf(chunks: readonly (readonly [Request, number])[]): number {
  return chunks.reduce((sum, [, chunk]) => sum + chunk, 0);
}

/** @param later Decoded tokens that each context has more of, at the middle of the steps. */
function loadOf(
  decoding: Decodes<Request>,
  chunks: readonly (readonly [Request, number])[],
  later: number,
): StepLoad {
  const prefillTokens = sumOf(chunks);
  return {
    sequences: decoding.count + chunks.length,
    tokens: decoding.count + prefillTokens,
    prefillTokens,
    prefillTokenContext: chunks.reduce((sum, [{ computed }, chunk]) => sum + chunk * computed, 0),
    prefillTokensSquared: chunks.reduce((sum, [, chunk]) => sum + chunk * chunk, 0),
    decodeSequences: decoding.count,
    decodeContextTokens: decoding.tokens + decoding.count * later,
  };
}
