// A router with information that no real router has: the future requests, the length of each output, and
// the cost of a step on each engine. It shows how much a better prediction could still gain.
//
// It has: the arrival time, prompt blocks and output length of every request, past and future (it looks
// `lookahead` requests ahead); the true step time of every engine; the size of its KV cache. It does not
// have: the batches that an engine will form (prefill is modelled as a queue, alone in its steps except
// for the requests that decode now), nor what an engine evicts (an LRU of its size is
// kept). Its choice is the best of one greedy plan per engine, not the best of all plans, so it is a
// benchmark, not a proof; `bench/policies` also prints a floor that no policy can go below.
import type { Random } from '../base/index.ts';
import type { StepCostModel } from '../engine/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfLowest } from './choose.ts';
import { PrefixMemory, type PromptBlocks, promptBlocks, tokensOf } from './prefix-memory.ts';

/** A future request. */
export interface KnownRequest {
  readonly arrivalSeconds: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Chained ids of the prompt's full blocks. */
  readonly blocks: PromptBlocks;
}

/** An engine as it is. */
export interface KnownEngine {
  readonly cost: StepCostModel;
  readonly kvTokensMax: number;
  readonly maxNumBatchedTokens: number;
}

export interface ClairvoyantKnowledge {
  /** All requests in order of arrival; the id of a request is its index. */
  readonly requests: readonly KnownRequest[];
  readonly engineAt: (url: string) => KnownEngine;
  /** Number of requests that are planned ahead at each pick. @default 12 */
  readonly lookahead?: number | undefined;
}

/** The policy that uses all of this. */
export function clairvoyantOf(knowledge: ClairvoyantKnowledge) {
  return definePolicy({
    name: 'clairvoyant',
    summary: 'none: it has the future requests',
    parameters: {},
    consumes: { prompts: 'required' },
    create: ({ random }) => new ClairvoyantPolicy(random, knowledge),
  });
}

const lookaheadDefault = 12;
/** Requests that arrive later than this are not affected by the current pick. */
const horizonSeconds = 30;
/** Cost of a second of delay in decode, in seconds of waiting: same as in `predictive`. */
const decodeWeight = 0.05;

interface Attempt extends Pick {
  readonly known: KnownRequest;
  readonly engine: EngineBooks;
}

export class ClairvoyantPolicy implements Policy {
  readonly name = 'clairvoyant';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #knowledge: ClairvoyantKnowledge;
  readonly #memory = new PrefixMemory({ blocksMax: 2 ** 24 });
  readonly #books = new Map<Endpoint, EngineBooks>();

  constructor(random: Random, knowledge: ClairvoyantKnowledge) {
    this.#random = random;
    this.#knowledge = knowledge;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): Attempt {
    const { requests, lookahead = lookaheadDefault } = this.#knowledge;
    const index = Number(request.id);
    const known = requests[index] ?? unknownRequest(request, nowSeconds);
    const coming = requests
      .slice(index + 1, index + 1 + lookahead)
      .filter(({ arrivalSeconds }) => arrivalSeconds <= nowSeconds + horizonSeconds);
    const books = endpoints.map((endpoint) => this.#booksOf(endpoint));
    const planned = [known, ...coming].map((own): Planned => {
      const cached = endpoints.map((e) => this.#memory.leadingBlocks(e, own.blocks, nowSeconds));
      return { known: own, cached, seconds: books.map((b, e) => b.prefillSeconds(own, cached[e])) };
    });
    const shared = sharedBlocks(planned);
    const scores = endpoints.map((_, e) => planCost(planned, books, shared, e, nowSeconds));
    const best = indexOfLowest(scores, this.#random);
    const blocks = (planned[0] as Planned).cached[best] as number;
    return {
      endpoint: endpoints[best] as Endpoint,
      reason: `least waiting in the plan of ${planned.length} requests: ${(scores[best] as number).toFixed(3)} s`,
      cachedTokens: tokensOf(blocks, known.blocks, request.promptTokens),
      scores,
      known,
      engine: books[best] as EngineBooks,
    };
  }

  onSent(_request: RoutingRequest, pick: Attempt, nowSeconds: number): void {
    const { known, engine, cachedTokens } = pick;
    engine.sent(pick, known, cachedTokens, nowSeconds);
    const blocksMax = engine.engine.kvTokensMax / Math.max(1, known.blocks.blockTokens);
    this.#memory.touch(pick.endpoint, known.blocks, nowSeconds, blocksMax);
  }

  onFirstByte(_request: RoutingRequest, pick: Attempt, _seconds: number, nowSeconds: number): void {
    pick.engine.firstByte(pick, nowSeconds);
  }

  onFinish(_request: RoutingRequest, pick: Attempt): void {
    pick.engine.finished(pick);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#memory.reset(endpoint);
    this.#books.delete(endpoint);
  }

  #booksOf(endpoint: Endpoint): EngineBooks {
    let books = this.#books.get(endpoint);
    if (books === undefined) {
      books = new EngineBooks(this.#knowledge.engineAt(endpoint.url));
      this.#books.set(endpoint, books);
    }
    return books;
  }
}

/** A request of the plan; arrays by engine. */
interface Planned {
  readonly known: KnownRequest;
  /** Blocks of its prompt that the engine holds now. */
  readonly cached: readonly number[];
  readonly seconds: readonly number[];
}

/**
 * Seconds waited if the first request of the plan is sent to `first` and each later one to the engine
 * where it would then wait least; requests that are still queued at the end count once more.
 */
function planCost(
  planned: readonly Planned[],
  books: readonly EngineBooks[],
  shared: readonly (readonly number[])[],
  first: number,
  nowSeconds: number,
): number {
  const freeAt = books.map((b) => nowSeconds + b.waitSeconds(nowSeconds));
  const placed = books.map((): number[] => []);
  let cost = 0;
  for (const [i, plan] of planned.entries()) {
    const atSeconds = Math.max(nowSeconds, plan.known.arrivalSeconds);
    let [best, bestSeconds, bestPrefill] = [first, Number.POSITIVE_INFINITY, 0];
    for (let e = 0; e < books.length; e++) {
      if (i === 0 && e !== first) continue;
      const held = (placed[e] as number[]).reduce(
        (most, j) => Math.max(most, (shared[j] as number[])[i] as number),
        0,
      );
      const known = (plan.cached[e] as number) >= held;
      const prefill = known
        ? (plan.seconds[e] as number)
        : (books[e] as EngineBooks).prefillSeconds(plan.known, held);
      const seconds = Math.max(0, (freeAt[e] as number) - atSeconds) + prefill;
      if (seconds < bestSeconds) [best, bestSeconds, bestPrefill] = [e, seconds, prefill];
    }
    const engine = books[best] as EngineBooks;
    if (i === 0) {
      bestSeconds += engine.memorySeconds(plan.known, bestPrefill, nowSeconds);
      cost += decodeWeight * engine.decodeDelaySeconds(plan.known, bestPrefill);
    }
    cost += bestSeconds;
    freeAt[best] = Math.max(freeAt[best] as number, atSeconds) + bestPrefill;
    (placed[best] as number[]).push(i);
  }
  const endSeconds = Math.max(nowSeconds, planned.at(-1)?.known.arrivalSeconds ?? 0);
  return freeAt.reduce((sum, free) => sum + Math.max(0, free - endSeconds), cost);
}

/** For request i and j > i of the plan, the number of leading blocks that both prompts share. */
function sharedBlocks(planned: readonly Planned[]): number[][] {
  return planned.map((a, i) =>
    planned.map((b, j) => (j > i ? commonBlocks(a.known.blocks, b.known.blocks) : 0)),
  );
}

/** Ids are chained, so an equal id means an equal prefix. */
function commonBlocks({ hashes: a }: PromptBlocks, { hashes: b }: PromptBlocks): number {
  let [equal, different] = [0, Math.min(a.length, b.length) + 1];
  while (different - equal > 1) {
    const middle = (equal + different) >>> 1;
    if (a[middle - 1] === b[middle - 1]) equal = middle;
    else different = middle;
  }
  return equal;
}

/** Requests in flight at one engine. */
class EngineBooks {
  readonly engine: KnownEngine;
  /** Remaining prefills, in the order sent. */
  readonly #queue = new Map<Attempt, number>();
  /** Earliest possible start of the first one in the queue. */
  #beganSeconds = 0;
  readonly #decoding = new Map<Attempt, number>();
  #contextTokens = 0;
  #heldTokens = 0;

  constructor(engine: KnownEngine) {
    this.engine = engine;
  }

  waitSeconds(nowSeconds: number): number {
    const [first = 0, ...rest] = this.#queue.values();
    const left = Math.max(0, first - Math.max(0, nowSeconds - this.#beganSeconds));
    return rest.reduce((sum, seconds) => sum + seconds, left);
  }

  /** In chunks of the step's token budget, each step with all requests that decode now. */
  prefillSeconds({ promptTokens, blocks }: KnownRequest, cachedBlocks = 0): number {
    const { cost, maxNumBatchedTokens } = this.engine;
    const decoding = this.#decoding.size;
    const chunkMax = Math.max(1, maxNumBatchedTokens - decoding);
    let seconds = 0;
    for (let done = tokensOf(cachedBlocks, blocks, promptTokens); done < promptTokens; ) {
      const chunk = Math.min(chunkMax, promptTokens - done);
      seconds += cost.stepSeconds({
        sequences: decoding + 1,
        tokens: decoding + chunk,
        prefillTokens: chunk,
        prefillTokenContext: chunk * done,
        prefillTokensSquared: chunk * chunk,
        decodeSequences: decoding,
        decodeContextTokens: this.#contextTokens,
      });
      done += chunk;
    }
    return seconds;
  }

  /** Time until enough responses have ended for this request to fit; 0 if it fits now. */
  memorySeconds(known: KnownRequest, prefillSeconds: number, nowSeconds: number): number {
    let excess = this.#heldTokens + known.promptTokens + known.outputTokens;
    excess -= this.engine.kvTokensMax;
    if (excess <= 0) return 0;
    const stepSeconds = this.#decodeStepSeconds(0, 0);
    const ends = Array.from(this.#decoding, ([{ known: own }, since]) => ({
      seconds: since + own.outputTokens * stepSeconds - nowSeconds,
      tokens: own.promptTokens + own.outputTokens,
    })).sort((a, b) => a.seconds - b.seconds);
    for (const { seconds, tokens } of ends) {
      excess -= tokens;
      if (excess <= 0) return Math.max(0, seconds);
    }
    return prefillSeconds + known.outputTokens * stepSeconds;
  }

  /** Decoding requests wait for the prefill; the output itself takes its own steps. */
  decodeDelaySeconds({ promptTokens, outputTokens }: KnownRequest, prefillSeconds: number): number {
    const own = outputTokens * this.#decodeStepSeconds(1, promptTokens);
    return prefillSeconds * this.#decoding.size + own;
  }

  sent(attempt: Attempt, known: KnownRequest, cachedTokens: number, nowSeconds: number): void {
    const blocks = cachedTokens / Math.max(1, known.blocks.blockTokens);
    if (this.#queue.size === 0) this.#beganSeconds = nowSeconds;
    this.#queue.set(attempt, this.prefillSeconds(known, blocks));
    this.#heldTokens += known.promptTokens + known.outputTokens;
  }

  firstByte(attempt: Attempt, nowSeconds: number): void {
    if (!this.#queue.delete(attempt)) return;
    this.#beganSeconds = nowSeconds;
    this.#decoding.set(attempt, nowSeconds);
    this.#contextTokens += attempt.known.promptTokens;
  }

  finished(attempt: Attempt): void {
    this.#queue.delete(attempt);
    const { promptTokens, outputTokens } = attempt.known;
    this.#heldTokens -= promptTokens + outputTokens;
    if (this.#decoding.delete(attempt)) this.#contextTokens -= promptTokens;
  }

  #decodeStepSeconds(moreSequences: number, moreTokens: number): number {
    const decoding = this.#decoding.size + moreSequences;
    if (decoding === 0) return 0;
    return this.engine.cost.stepSeconds({
      sequences: decoding,
      tokens: decoding,
      prefillTokens: 0,
      prefillTokenContext: 0,
      prefillTokensSquared: 0,
      decodeSequences: decoding,
      decodeContextTokens: this.#contextTokens + moreTokens,
    });
  }
}

/** For requests that were not announced: the information that an ordinary router has. */
function unknownRequest(request: RoutingRequest, arrivalSeconds: number): KnownRequest {
  const { promptTokens, outputTokensMax: outputTokens = 1 } = request;
  return { arrivalSeconds, promptTokens, outputTokens, blocks: promptBlocks(request, 256) };
}
