// A fixed number of clients at one engine, each sending its next request when the previous one is
// complete: how serving benchmarks measure a point. Steps that only decode are simulated many at a time
// without visiting each decoding request, so the cost of a point grows with its requests, not with its
// tokens or clients.
import { type Random, seededRandom } from '../base/index.ts';
import type { StepCostModel, StepLoad } from '../engine/index.ts';
import { Decodes } from './decodes.ts';
import { type RepeatedPrompt, RepeatedPrompts } from './repeated-prompts.ts';

export interface ClosedLoopOptions {
  readonly cost: StepCostModel;
  /** Capacity of the KV cache, in tokens. */
  readonly kvTokensMax: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly clients: number;
  /** Number of measured requests; the first `clients` are sent together. */
  readonly requests: number;
  /** Longest prompt and output; lengths are uniform from `shortest` · longest to longest. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** @default 0.8 */
  readonly shortest?: number;
  /** Time from the client's send to the engine's queue: HTTP and tokenization. @default 0 */
  readonly arrivalSeconds?: number;
  /**
   * Whether a step is planned while the previous one runs (vLLM's `--async-scheduling`): a request that
   * arrives during a step then also waits for the next one. @default false
   */
  readonly plansAhead?: boolean;
  /**
   * Prompts in the benchmark's data set, sent again and again; the engine's prefix cache keeps them while
   * it has space. By default no two prompts share a prefix.
   */
  readonly distinctPrompts?: number | undefined;
  /**
   * Requests that the clients send before the measured ones, which then all start together again.
   * @default 0
   */
  readonly warmUpRequests?: number;
  /** @default 1 */
  readonly seed?: number;
}

export interface ClosedLoopResult {
  readonly meanTtftSeconds: number;
  /** Over requests with more than one token. */
  readonly meanTpotSeconds: number;
  /** Share of requests that waited for space in the batch or in the KV cache, or were preempted. */
  readonly waitedShare: number;
}

interface Request {
  readonly sentSeconds: number;
  /** When the engine receives it. */
  readonly arrivedSeconds: number;
  /** Tokens to compute before the next is sampled: the prompt; after a preemption, all tokens so far. */
  prefill: number;
  computed: number;
  readonly output: number;
  generated: number;
  firstSeconds: number;
  waited: boolean;
  readonly isMeasured: boolean;
  readonly prompt: RepeatedPrompt | undefined;
  /** Tokens in cached blocks, which other requests with the same prompt share. */
  shared: number;
}

/**
 * Serves requests first come, first served, with chunked prefill and recomputing preemption as
 * `EngineModel` does, but counts KV in tokens and shares prompts only as a whole.
 */
export function closedLoop(options: ClosedLoopOptions): ClosedLoopResult {
  const { cost, kvTokensMax, maxNumSeqs, maxNumBatchedTokens, clients, requests } = options;
  const { shortest = 0.8, seed = 1, arrivalSeconds = 0, plansAhead = false } = options;
  const { distinctPrompts, warmUpRequests = 0 } = options;
  const random = seededRandom(seed);
  const drawPrompt = () => draw(options.promptTokens, shortest, random);
  const prompts =
    distinctPrompts === undefined
      ? undefined
      : new RepeatedPrompts(distinctPrompts, drawPrompt, random);
  /** Sent, but not yet arrived when the next step was planned; in order of arrival. */
  const coming: Request[] = [];
  const waiting: Request[] = [];
  /** In the batch; in order of admission, all younger than the decoding requests. */
  let prefilling: Request[] = [];
  const decoding = new Decodes<Request>();
  let [now, sent, finished, ttft, tpot, tpotCount, waited] = [0, 0, 0, 0, 0, 0, 0];
  /** Tokens of running requests in blocks of their own, and in blocks that the prefix cache shares. */
  let [kvTokens, sharedTokens] = [0, 0];
  let plannedSeconds = 0;
  /** Without what running requests share: what their own blocks may take. */
  const capacity = () => kvTokensMax - (prompts?.usedTokens ?? 0);
  const total = warmUpRequests + requests;
  const send = () => {
    if (sent >= (finished < warmUpRequests ? warmUpRequests : total)) return;
    const prompt = prompts?.next();
    coming.push({
      sentSeconds: now,
      arrivedSeconds: now + arrivalSeconds,
      prefill: prompt?.tokens ?? drawPrompt(),
      computed: 0,
      output: draw(options.outputTokens, shortest, random),
      generated: 0,
      firstSeconds: NaN,
      waited: false,
      isMeasured: sent++ >= warmUpRequests,
      prompt,
      shared: 0,
    });
  };
  const release = (request: Request) => {
    kvTokens -= request.computed - request.shared;
    sharedTokens -= request.shared;
    if (request.prompt && request.shared > 0) prompts?.release(request.prompt);
    request.shared = 0;
  };
  const end = (request: Request) => {
    release(request);
    if (++finished === warmUpRequests) for (let i = 1; i < clients; i++) send();
    if (request.isMeasured) count(request);
    send();
  };
  const count = (request: Request) => {
    waited += request.waited ? 1 : 0;
    ttft += request.firstSeconds - request.sentSeconds;
    if (request.output > 1) {
      tpot += (now - request.firstSeconds) / (request.output - 1);
      tpotCount++;
    }
  };
  const decodingVictim = () => {
    const victim = decoding.takeYoungest() as Request;
    victim.prefill = victim.computed + 1;
    return victim;
  };
  const running = () => decoding.count + prefilling.length;
  const meanStepSeconds = (chunks: readonly (readonly [Request, number])[], steps: number) =>
    cost.stepSeconds(loadOf(decoding, chunks, (steps - 1) / 2));
  const arrive = () => {
    while (coming[0] && coming[0].arrivedSeconds <= plannedSeconds) {
      waiting.push(coming.shift() as Request);
    }
  };
  for (let i = 0; i < clients; i++) send();
  while (finished < total && running() + waiting.length + coming.length > 0) {
    arrive();
    if (running() + waiting.length === 0) {
      now = Math.max(now, (coming[0] as Request).arrivedSeconds);
      plannedSeconds = now;
      arrive();
    }
    // Each decoding request needs one more token; the youngest are preempted if there is no space.
    while (running() > 1 && kvTokens + running() > capacity()) {
      const victim = prefilling.pop() ?? decodingVictim();
      release(victim);
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
    // An admitted request keeps space for its whole prompt.
    let reserved = decoding.tokens + decoding.count - sharedTokens;
    for (const { prefill } of prefilling) reserved += prefill;
    for (let next = waiting[0]; next && budget > 0; next = waiting[0]) {
      const hit = next.prompt ? (prompts as RepeatedPrompts).hitTokens(next.prompt) : 0;
      const idle = next.prompt ? (prompts as RepeatedPrompts).idleTokens(next.prompt) : 0;
      const full = running() >= maxNumSeqs || reserved + next.prefill - hit > capacity() - idle;
      if (full && running() > 0) {
        // Requests at the front have waited before.
        for (let i = waiting.length - 1; i >= 0 && !(waiting[i] as Request).waited; i--) {
          (waiting[i] as Request).waited = true;
        }
        break;
      }
      waiting.shift();
      prefilling.push(next);
      reserved += next.prefill - hit;
      if (next.prompt && hit > 0) {
        prompts?.share(next.prompt);
        [next.computed, next.shared] = [hit, hit];
        sharedTokens += hit;
      }
      take(next);
    }
    let steps = 1;
    if (chunks.length === 0) {
      steps = Math.min(decoding.stepsLeft, Math.floor((capacity() - kvTokens) / decoding.count));
      if (coming[0]) {
        const { arrivedSeconds } = coming[0];
        const first = meanStepSeconds(chunks, 1);
        steps = Math.min(steps, Math.ceil((arrivedSeconds - now) / first));
        // Contexts grow, so the steps after the first are longer, and fewer may pass before the arrival.
        while (
          steps > 1 &&
          now + (steps - 1) * meanStepSeconds(chunks, steps - 1) >= arrivedSeconds
        ) {
          steps--;
        }
      }
      steps = Math.max(1, steps);
    }
    const stepSeconds = meanStepSeconds(chunks, steps);
    // `now` minus a step would be wrong: rounding would let a request arrive just after the step that it
    // arrived with.
    const lastStartSeconds = now + (steps - 1) * stepSeconds;
    now = lastStartSeconds + stepSeconds;
    plannedSeconds = plansAhead ? lastStartSeconds : now;
    for (const [request, chunk] of chunks) request.computed += chunk;
    kvTokens += sumOf(chunks) + steps * decoding.count;
    prompts?.shrinkIdle(capacity() - kvTokens);
    decoding.advance(steps);
    for (let ended = decoding.takeEnded(); ended; ended = decoding.takeEnded()) end(ended);
    if (chunks.length === 0) continue;
    const prefilled = prefilling.filter(({ computed, prefill }) => computed >= prefill);
    prefilling = prefilling.filter(({ computed, prefill }) => computed < prefill);
    for (const request of prefilled) {
      if (request.prompt && request.shared === 0) {
        request.shared = (prompts as RepeatedPrompts).keep(request.prompt);
        kvTokens -= request.shared;
        sharedTokens += request.shared;
      }
      if (request.generated++ === 0) request.firstSeconds = now;
      if (request.generated < request.output) decoding.begin(request);
      else end(request);
    }
  }
  return {
    meanTtftSeconds: ttft / requests,
    meanTpotSeconds: tpot / Math.max(1, tpotCount),
    waitedShare: waited / requests,
  };
}

function draw(longest: number, shortest: number, random: Random): number {
  return Math.max(1, Math.round(longest * (shortest + (1 - shortest) * random.next())));
}

function sumOf(chunks: readonly (readonly [Request, number])[]): number {
  return chunks.reduce((sum, [, chunk]) => sum + chunk, 0);
}

/**
 * Sums up a step as `stepLoad` of the engine model does: attention counts a chunk of one token as a
 * decode.
 *
 * @param later Tokens by which each decoding context has grown in the middle of the steps.
 */
function loadOf(
  decoding: Decodes<Request>,
  chunks: readonly (readonly [Request, number])[],
  later: number,
): StepLoad {
  let [prefillTokens, prefillTokenContext, prefillTokensSquared] = [0, 0, 0];
  let decodeSequences = decoding.count;
  let decodeContextTokens = decoding.tokens + decoding.count * later;
  for (const [{ computed }, chunk] of chunks) {
    if (chunk === 1) {
      decodeSequences++;
      decodeContextTokens += computed;
    } else {
      prefillTokens += chunk;
      prefillTokenContext += chunk * computed;
      prefillTokensSquared += chunk * chunk;
    }
  }
  return {
    sequences: decoding.count + chunks.length,
    tokens: decodeSequences + prefillTokens,
    ...{ prefillTokens, prefillTokenContext, prefillTokensSquared },
    ...{ decodeSequences, decodeContextTokens },
  };
}
