// How much of a prompt each engine holds: what the engines' KV events say where they are heard, and
// what this router believes of what it sent where they are not.
import type { KvIndex } from '../../../kv/index.ts';
import type { Endpoint, Outcome, RoutingRequest } from '../../contract.ts';
import { PrefixBeliefs, type PromptChain } from '../../prefix-beliefs.ts';
import { PromptsInFlight } from './prompts-in-flight.ts';

/** Weight of one answer in the share that held more than was told. */
const untoldWeight = 1 / 16;
/** An engine that so often holds more than it told is told of wrongly, until it restarts. */
const untoldShareMax = 0.5;
/** Differences up to this many byte blocks are those of where blocks end. */
const slackBlocks = 2;

interface EngineKnowledge {
  readonly inFlight: PromptsInFlight;
  /**
   * Share of the answers with cached tokens that had more of them than the events told. High where
   * the tokens that we see are not those that the engine computes: images, another template.
   */
  untoldShare: number;
  isToldWrongly: boolean;
}

export class HeldTokens {
  readonly #kvIndex: KvIndex | undefined;
  readonly #beliefs = new PrefixBeliefs();
  /** One entry per engine that events were heard of; entries leave with it. */
  readonly #engines = new Map<Endpoint, EngineKnowledge>();

  /** @param kvIndex Somebody else feeds it; without one, beliefs are all there is. */
  constructor(kvIndex?: KvIndex) {
    this.#kvIndex = kvIndex;
  }

  /** Whether a prompt's tokens would tell more than its bytes: some engine's events are heard. */
  get needsTokens(): boolean {
    return this.#kvIndex?.hearsAny ?? false;
  }

  chainOf(request: RoutingRequest): PromptChain {
    return this.#beliefs.chainOf(request);
  }

  /**
   * Prompt tokens that each engine is expected to find cached, in [0, promptTokens).
   *
   * @param into Shape [n] or longer, aligned with `endpoints`.
   */
  count(
    request: RoutingRequest,
    chain: PromptChain,
    endpoints: readonly Endpoint[],
    into: Float64Array,
  ): void {
    this.#beliefs.count(endpoints, chain, into);
    const told = this.#told(request, endpoints);
    if (told === undefined) return;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[i] as Endpoint;
      const knowledge = this.#kvIndex?.knowledgeOf(endpoint.url) ?? 'none';
      if (knowledge === 'none') continue;
      const engine = this.#engineOf(endpoint);
      const isSure = knowledge === 'exact' && !engine.isToldWrongly;
      const ours = isSure
        ? engine.inFlight.leadingBlocks(chain.hashes) * chain.blockTokens
        : (into[i] as number);
      // vLLM always computes at least the last token.
      const most = Math.max(told[i] as number, Math.floor(ours));
      into[i] = Math.max(0, Math.min(most, request.promptTokens - 1));
    }
  }

  /**
   * The engine was sent this prompt, and holds it from its prefill on.
   *
   * @returns Where it is booked, to be taken off by who sent it once it is over.
   */
  sent(endpoint: Endpoint, chain: PromptChain): PromptsInFlight | undefined {
    this.#beliefs.sent(endpoint, chain);
    if (!this.needsTokens) return undefined;
    const { inFlight } = this.#engineOf(endpoint);
    inFlight.add(chain.hashes);
    return inFlight;
  }

  /** @param expected What `count` said at the pick. */
  finished(endpoint: Endpoint, chain: PromptChain, expected: number, outcome: Outcome): void {
    const engine = this.#engines.get(endpoint);
    const isTold = this.#kvIndex?.knowledgeOf(endpoint.url) === 'exact';
    if (engine === undefined || !isTold || engine.isToldWrongly) {
      this.#beliefs.finished(endpoint, chain, expected, outcome);
      return;
    }
    // What was expected was not the belief, which has nothing to learn from it.
    this.#beliefs.finished(endpoint, chain, 0, outcome);
    const { promptTokens, cachedTokens } = outcome;
    const slack = slackBlocks * chain.blockTokens;
    if (cachedTokens === undefined || cachedTokens <= slack) return;
    const actual = cachedTokens * (promptTokens ? chain.promptTokens / promptTokens : 1);
    const untold = actual > expected + slack ? 1 : 0;
    engine.untoldShare += (untold - engine.untoldShare) * untoldWeight;
    engine.isToldWrongly = engine.untoldShare > untoldShareMax;
  }

  /** The engine lost its cache, or is gone. */
  reset(endpoint: Endpoint): void {
    this.#beliefs.reset(endpoint);
    this.#engines.delete(endpoint);
  }

  /** Shape [n], tokens; undefined if nobody is heard, or the prompt's tokens are not known. */
  #told(request: RoutingRequest, endpoints: readonly Endpoint[]): Int32Array | undefined {
    const index = this.#kvIndex;
    // A request may make its tokens only when they are read, so that comes last.
    if (index === undefined || !index.hearsAny || request.tokens === undefined) return undefined;
    const { tokens, model, cacheSalt } = request;
    // An adapter is served under its own name as the model.
    const loraName = model !== undefined && index.hasAdapter(model) ? model : undefined;
    const names = endpoints.map(({ url }) => url);
    // What lies in host memory is not computed; a load takes a tenth of that time or less, and engines
    // report it as cached.
    return index.match(tokens, { loraName, cacheSalt }, names, 'CPU');
  }

  #engineOf(endpoint: Endpoint): EngineKnowledge {
    let engine = this.#engines.get(endpoint);
    if (engine === undefined) {
      engine = { inFlight: new PromptsInFlight(), untoldShare: 0, isToldWrongly: false };
      this.#engines.set(endpoint, engine);
    }
    return engine;
  }
}
