// The cached part of a prompt per engine: according to the engines' KV events if they are received, and
// otherwise according to what this router sent.
import type { ChainScope, ExpectedBlocks, ExpectedPrompt, KvIndex } from '../../../kv/index.ts';
import { AssumedPrefixes, type PromptChain } from '../../assumed-prefixes.ts';
import { noTiers, type TierPrices } from '../../cache-tiers.ts';
import type { Endpoint, Outcome, RoutingRequest } from '../../contract.ts';
import { PromptsInFlight } from './prompts-in-flight.ts';

/** Weight of one response in the share of responses with underreported hits. */
const underreportedWeight = 1 / 16;
/** Above this share of underreported hits, an engine's events count as unreliable until it restarts. */
const underreportedShareMax = 0.5;
/** Differences up to this many byte blocks are attributed to block boundaries. */
const slackBlocks = 2;

interface EngineKnowledge {
  readonly inFlight: PromptsInFlight;
  /**
   * Share of the responses with more cached tokens than the events reported. High if the tokens that the
   * router sees are not those that the engine computes: images, another template.
   */
  underreportedShare: number;
  isUnreliable: boolean;
}

export class HeldTokens {
  readonly #kvIndex: KvIndex | undefined;
  readonly #prices: TierPrices;
  readonly #expected: ExpectedBlocks | undefined;
  readonly #assumed = new AssumedPrefixes();
  /** One entry per engine with received events; removed with it. */
  readonly #engines = new Map<Endpoint, EngineKnowledge>();

  /**
   * @param kvIndex Fed by the caller; without it, only assumptions are used.
   * @param prices Of loads from host memory.
   */
  constructor(kvIndex?: KvIndex, prices: TierPrices = noTiers) {
    this.#kvIndex = kvIndex;
    this.#prices = prices;
    this.#expected = kvIndex?.expectations();
  }

  /** Whether the tokens of prompts are useful: at least one engine has a live event stream. */
  get needsTokens(): boolean {
    return this.#kvIndex?.hasLiveStream ?? false;
  }

  chainOf(request: RoutingRequest): PromptChain {
    return this.#assumed.chainOf(request);
  }

  /**
   * Counts the prompt tokens that each engine is expected to find cached, in [0, promptTokens).
   *
   * @param into Shape [n] or longer, aligned with `endpoints`.
   * @param loadSeconds Likewise: grows by the time to load blocks that are in host memory only.
   * @returns Whether the tokens of the prompt were known, without which events say nothing.
   */
  count(
    request: RoutingRequest,
    chain: PromptChain,
    endpoints: readonly Endpoint[],
    into: Float64Array,
    loadSeconds: Float64Array,
  ): boolean {
    this.#assumed.count(endpoints, chain, into);
    const index = this.#kvIndex;
    const reported = index && this.#reported(index, request, endpoints);
    if (index === undefined || reported === undefined) return false;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[i] as Endpoint;
      const knowledge = index.knowledgeOf(endpoint.url);
      if (knowledge === 'none') continue;
      const engine = this.#engineOf(endpoint);
      const isSure = knowledge === 'exact' && !engine.isUnreliable;
      const ours = isSure
        ? engine.inFlight.leadingBlocks(chain.hashes) * chain.blockTokens
        : (into[i] as number);
      // vLLM always computes at least the last token.
      const onGpu = Math.max(reported.onGpu[i] as number, Math.floor(ours));
      const known = Math.max(onGpu, reported.loadable[i] as number);
      into[i] = Math.max(0, Math.min(known, request.promptTokens - 1));
      if (known === onGpu) continue;
      const price = this.#prices.loadSecondsPerToken('host', request, endpoint);
      loadSeconds[i] = (loadSeconds[i] as number) + (known - onGpu) * price;
    }
    return true;
  }

  /**
   * Records that the prompt was sent to the engine, which caches it during prefill.
   *
   * @returns The set of prompts in flight that it joined; the caller removes it when the request has ended.
   */
  sent(endpoint: Endpoint, chain: PromptChain): PromptsInFlight | undefined {
    this.#assumed.sent(endpoint, chain);
    if (!this.needsTokens) return undefined;
    const { inFlight } = this.#engineOf(endpoint);
    inFlight.add(chain.hashes);
    return inFlight;
  }

  /** Counts the prompt as cached there until the engine's events come. For prompts whose tokens are known. */
  expect(request: RoutingRequest, { url, reported }: Endpoint): ExpectedPrompt | undefined {
    const index = this.#kvIndex;
    const expected = this.#expected;
    const { tokens } = request;
    if (index === undefined || expected === undefined || tokens === undefined) return undefined;
    const scope = scopeOf(index, request);
    return index.expect(expected, {
      ...{ name: url, tokens, scope, blockTokens: reported?.blockTokens },
    });
  }

  /** @param computed Whether the engine has computed the prompt. */
  expectedEnded(expected: ExpectedPrompt, computed: boolean, nowSeconds: number): void {
    if (computed) this.#expected?.settle(expected, nowSeconds);
    else this.#expected?.withdraw(expected);
  }

  /** Forgets expected blocks whose events did not come in time. */
  forgetExpected(nowSeconds: number): void {
    this.#expected?.forget(nowSeconds);
  }

  /**
   * @param expected The result of `count` when the engine was picked.
   * @param hadTokens Whether the tokens of the prompt were known then.
   */
  finished(
    endpoint: Endpoint,
    chain: PromptChain,
    expected: number,
    outcome: Outcome,
    hadTokens: boolean,
  ): void {
    const engine = this.#engines.get(endpoint);
    const isExact = hadTokens && this.#kvIndex?.knowledgeOf(endpoint.url) === 'exact';
    if (engine === undefined || !isExact || engine.isUnreliable) {
      this.#assumed.finished(endpoint, chain, expected, outcome);
      return;
    }
    // The expectation did not come from the assumptions, so they learn nothing from it.
    this.#assumed.finished(endpoint, chain, 0, outcome);
    const { promptTokens, cachedTokens } = outcome;
    const slack = slackBlocks * chain.blockTokens;
    if (cachedTokens === undefined || cachedTokens <= slack) return;
    const actual = cachedTokens * (promptTokens ? chain.promptTokens / promptTokens : 1);
    const underreported = actual > expected + slack ? 1 : 0;
    engine.underreportedShare += (underreported - engine.underreportedShare) * underreportedWeight;
    engine.isUnreliable = engine.underreportedShare > underreportedShareMax;
  }

  /** The engine lost its cache or was removed. */
  reset(endpoint: Endpoint): void {
    this.#assumed.reset(endpoint);
    this.#engines.delete(endpoint);
  }

  /**
   * Tokens according to events, shape [n] each: on the GPU, and there or in host memory. Undefined without live events or
   * without the prompt's tokens.
   */
  #reported(
    index: KvIndex,
    request: RoutingRequest,
    endpoints: readonly Endpoint[],
  ): { readonly onGpu: Int32Array; readonly loadable: Int32Array } | undefined {
    // A request may compute its tokens lazily, so they are read last.
    if (!index.hasLiveStream || request.tokens === undefined) return undefined;
    const { tokens } = request;
    const names = endpoints.map(({ url }) => url);
    const scope = scopeOf(index, request);
    const onGpu = index.match(tokens, scope, names, 'GPU', this.#expected);
    const loadable = index.knowsTier('CPU')
      ? index.match(tokens, scope, names, 'CPU', this.#expected)
      : onGpu;
    return { onGpu, loadable };
  }

  #engineOf(endpoint: Endpoint): EngineKnowledge {
    let engine = this.#engines.get(endpoint);
    if (engine === undefined) {
      engine = { inFlight: new PromptsInFlight(), underreportedShare: 0, isUnreliable: false };
      this.#engines.set(endpoint, engine);
    }
    return engine;
  }
}

function scopeOf(index: KvIndex, { model, cacheSalt }: RoutingRequest): ChainScope {
  // An adapter is served under its own name as the model.
  const loraName = model !== undefined && index.hasAdapter(model) ? model : undefined;
  return { loraName, cacheSalt };
}
