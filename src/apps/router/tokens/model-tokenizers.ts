// The tokenizer of each model that engines serve: found, loaded in a thread, and dropped with the model.

import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { PromptTokenizer } from '../../../core/prompts/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Ticker } from '../../../io/http/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { TokenizerSearch, TokenizerThread } from '../../../io/tokenizers/index.ts';
import type { Engine } from '../fleet/engine.ts';
import {
  type ModelSearch,
  modelSearches,
  sourceOf,
  type TokenizerSources,
} from './model-searches.ts';

/**
 * Why a model has no tokenizer: it is being looked for; there is none, or none of a kind that is supported; it is
 * turned off.
 */
export type NoTokenizer = 'loading' | 'unavailable' | 'off';

/** A tokenizer in both threads. */
export interface ModelTokenizer {
  /** Its name in the other thread. */
  readonly name: string;
  readonly prompts: PromptTokenizer;
  readonly thread: TokenizerThread;
}

/** Loaded tokenizers; each takes 10 to 60 MB. Models beyond have none. */
const tokenizersMax = 16;
/** Interval between two looks at the models of the engines. */
const lookMs = 1_000;
/** Pause before a tokenizer that was not found is looked for again; doubled each time. */
const retryMinMs = 5_000;
const retryMaxMs = 300_000;

interface Loaded {
  /** Undefined while it is looked for, and if there is none. */
  prompts: PromptTokenizer | undefined;
  /** Why there is none; undefined while it is looked for. */
  problem: string | undefined;
  retryAtMs: number;
  pauseMs: number;
}

export interface ModelTokenizersOptions {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly ticker: Ticker;
  readonly sources: TokenizerSources;
  /** `Authorization` for requests to engines. */
  readonly authorization: string | undefined;
  /** How long a long prompt may take. @default that of `TokenizerThread` */
  readonly tokenizeTimeoutMs: number | undefined;
  readonly log: Logger;
}

export class ModelTokenizers {
  readonly #options: ModelTokenizersOptions;
  /** By model. */
  #searches: ReadonlyMap<string, ModelSearch> = new Map();
  /** By the name under which the thread has it. */
  readonly #loaded = new Map<string, Loaded>();
  /** Started with the first model, with the code that it needs: most routers never tokenize. */
  #thread: TokenizerThread | undefined;
  #isClosed = false;
  /** What the log last said of each model. */
  readonly #said = new Map<string, string>();
  #nextLookTick = 0;
  #isWanted = false;

  constructor(options: ModelTokenizersOptions) {
    this.#options = options;
    options.ticker.add(this);
  }

  of(model: string): ModelTokenizer | NoTokenizer {
    if (sourceOf(model, this.#options.sources) === 'none') return 'off';
    const name = this.#searches.get(model)?.name;
    const loaded = name === undefined ? undefined : this.#loaded.get(name);
    if (name === undefined || loaded === undefined) return 'loading';
    const [{ prompts }, thread] = [loaded, this.#thread];
    if (prompts !== undefined && thread !== undefined) return { name, prompts, thread };
    return loaded.problem === undefined ? 'loading' : 'unavailable';
  }

  /** Models with their state, for the metric. */
  *states(): Iterable<readonly [model: string, isReady: boolean]> {
    for (const [model, { name }] of this.#searches) {
      yield [model, this.#loaded.get(name)?.prompts !== undefined];
    }
  }

  /** Tokenizers are needed from now on, even if the policy does not use tokens. */
  want(): void {
    this.#isWanted = true;
  }

  onTick(nowTick: number): void {
    const isNeeded = this.#isWanted || this.#options.core.policy.needsTokens;
    if (nowTick < this.#nextLookTick || !isNeeded) return;
    this.#nextLookTick = nowTick + this.#options.ticker.ticks(lookMs);
    this.look();
  }

  /** Looks at the models of the live engines: starts and drops what follows from them. */
  look(): void {
    this.#searches = modelSearches(this.#options);
    const wanted = new Set(Array.from(this.#searches.values(), ({ name }) => name));
    for (const name of this.#loaded.keys()) {
      if (wanted.has(name)) continue;
      this.#loaded.delete(name);
      this.#thread?.drop(name);
    }
    for (const { name, search } of this.#searches.values()) void this.#load(name, search);
    for (const model of this.#said.keys()) if (!this.#searches.has(model)) this.#said.delete(model);
    for (const [model, { name }] of this.#searches) this.#say(model, this.#loaded.get(name));
  }

  /** Stops looking; prompts of requests in flight are still tokenized. */
  stop(): void {
    this.#options.ticker.remove(this);
  }

  /** Ends the thread. */
  close(): void {
    this.stop();
    this.#isClosed = true;
    this.#thread?.close();
  }

  async #load(name: string, search: TokenizerSearch): Promise<void> {
    const before = this.#loaded.get(name);
    const isDue = before?.problem !== undefined && before.retryAtMs <= performance.now();
    if (before !== undefined && !isDue) return;
    if (before === undefined && this.#loaded.size >= tokenizersMax) return;
    const loaded: Loaded = {
      ...{ prompts: undefined, problem: undefined, retryAtMs: 0 },
      pauseMs: Math.min(retryMaxMs, 2 * (before?.pauseMs ?? retryMinMs / 2)),
    };
    this.#loaded.set(name, loaded);
    try {
      const [tokenizers, { PromptTokenizer }] = await Promise.all([
        import('../../../io/tokenizers/index.ts'),
        import('../../../core/prompts/index.ts'),
      ]);
      if (this.#isClosed) return;
      const { tokenizeTimeoutMs: timeoutMs } = this.#options;
      this.#thread ??= new tokenizers.TokenizerThread({ timeoutMs });
      const { definition, origin } = await this.#thread.find(search);
      if (this.#isClosed || this.#loaded.get(name) !== loaded) return;
      loaded.prompts = new PromptTokenizer(tokenizers.tokenizerOf(definition));
      this.#thread.use(name, definition);
      this.#found(name, origin);
    } catch (error) {
      if (this.#isClosed) return;
      loaded.problem = error instanceof Error ? error.message : String(error);
      loaded.retryAtMs = performance.now() + loaded.pauseMs;
      this.look();
    }
  }

  #found(name: string, origin: string): void {
    const { log } = this.#options;
    const fault = this.#loaded.get(name)?.prompts?.templateFault;
    for (const [model, search] of this.#searches) {
      if (search.name !== name) continue;
      const text = `model ${model}: prompts are tokenized here, with the tokenizer of ${origin}`;
      if (fault === undefined) log.info(text);
      else log.warning(`${text}; chats are not, because its template does not work here: ${fault}`);
      this.#said.set(model, text);
    }
  }

  /** Says once why a model has no tokenizer. */
  #say(model: string, loaded: Loaded | undefined): void {
    const tooMany = `this router has ${tokenizersMax} tokenizers already`;
    const problem = loaded === undefined ? tooMany : loaded.problem;
    if (problem === undefined || this.#said.get(model) === problem) return;
    this.#said.set(model, problem);
    this.#options.log.warning(
      `model ${model}: no tokenizer: ${problem}. Its prompts are compared by their bytes, and KV events are ` +
        'not used for them, and sampled messages and responses do not move; --tokenizer names a folder or a model of the hub',
    );
  }
}

/** Declares the metric of the models' tokenizers. */
export function declareTokenizerGauge(
  registry: MetricsRegistry,
  tokenizers: ModelTokenizers,
): void {
  const gauge = registry.gauge({
    name: 'spillway_router_tokenizer_ready',
    help: 'Whether the router has the tokenizer of a model; only once engines publish KV events, or messages or responses are streamed.',
    labels: ['model'],
    seriesMax: 1_000,
  });
  registry.onRender(() => {
    gauge.table.removeMatching({});
    for (const [model, isReady] of tokenizers.states()) gauge.with({ model }).set(isReady ? 1 : 0);
  });
}
