// The embedded engine without its HTTP edge: requests in, tokens out, on the engine model's time.
import { createHash } from 'node:crypto';
import { type Random, seededRandom } from '../../core/base/index.ts';
import { EngineModel, type EngineStats, type EngineStep } from '../../core/engine/index.ts';
import { chainRoot, hashTokenBlock } from '../../core/kv/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { type Adapter, Adapters } from './adapters/adapters.ts';
import { Driver } from './driver.ts';
import { shuttingDown, tooManyRequests, tooManyTokens } from './generation/admission-errors.ts';
import type { GenerationOptions } from './generation/generation-options.ts';
import { randomHex } from './generation/request-id.ts';
import type { KvEvents } from './kv-events.ts';
import { type Pausable, SleepControl } from './lifecycle/sleep-control.ts';
import { BlockLifetimes } from './metrics/block-lifetimes.ts';
import { EngineMetrics } from './metrics/engine-metrics.ts';
import type { EngineServerOptions } from './options.ts';
import { Sequence } from './sequence.ts';
import { biasedTokens } from './text/biased-tokens.ts';
import { syntheticText } from './text/synthetic-text.ts';
import { thinkFirst, thinkingEnd } from './text/thinking.ts';
import { scriptedTokens, type TokenSource, tokensThen } from './text/token-source.ts';
import { wordListOf } from './text/word-list.ts';
import { createConnector } from './tiers/create-connector.ts';

/** The release whose behaviour is emulated. */
export const emulatedVersion = '0.32.0';

/** Lag, in wall seconds, from which the engine says that it has fallen behind. */
const lagWarningSeconds = 0.1;

/** An engine; as many in one process as there is memory for. */
export class Engine implements Pausable {
  readonly options: EngineServerOptions;
  readonly tokenizer: Tokenizer;
  readonly servedModelNames: readonly string[];
  readonly metrics: EngineMetrics;
  readonly adapters: Adapters;
  readonly sleepControl = new SleepControl(this);
  /** As real vLLM's: version, and eight digits that stand for the configuration. */
  readonly systemFingerprint: string;
  /** HTTP requests within the routes that vLLM tracks. */
  serverLoad = 0;
  readonly #model: EngineModel;
  readonly #driver: Driver<Sequence>;
  readonly #kvEvents: KvEvents | undefined;
  readonly #sequences = new Set<Sequence>();
  /** Requests with a token out, by adapter: those that vLLM's metrics know of. */
  readonly #adaptersAtWork = new Map<string, number>();
  readonly #wallPerModelSecond: number;
  #stats: EngineStats;
  #prefillTokens = 0;
  #generatedInStep = 0;
  #prefilledInStep = 0;
  #hasFallenBehind = false;
  #isDraining = false;
  /** KV moved between tiers when the engine last told of itself. */
  #wasTransferring = false;
  #onIdle: (() => void) | undefined;

  /** @param kvEvents Where KV events go; they are not made when undefined. */
  constructor(options: EngineServerOptions, kvEvents?: KvEvents) {
    this.options = options;
    this.#kvEvents = kvEvents;
    this.tokenizer = options.tokenizer;
    this.servedModelNames = options.servedModelNames ?? [options.model];
    this.adapters = new Adapters(options.lora, this.servedModelNames);
    const digest = createHash('sha256').update(JSON.stringify(options.config)).digest('hex');
    this.systemFingerprint = `vllm-${emulatedVersion}-${digest.slice(0, 8)}`;
    const timeScale = options.timeScale ?? 1;
    this.#wallPerModelSecond = Number.isFinite(timeScale) ? 1 / timeScale : 1;
    this.#model = new EngineModel({
      config: options.config,
      cost: options.cost,
      connector: createConnector(options, {
        ...kvEvents?.tierListener,
        transferred: (...transfer) => this.metrics.offload?.onTransfer(...transfer),
        lookedUp: (chunks) => this.metrics.offload?.onLookup(chunks),
        lookupDelayed: (seconds) =>
          this.metrics.offload?.onLookupDelayed(seconds * this.#wallPerModelSecond),
        allocating: (chunks) => this.metrics.offload?.onAllocating(chunks),
      }),
      listener: {
        ...kvEvents?.listener,
        blocks: this.#blockLifetimes(),
        lookedUp: (lookup) => this.metrics.onLookup(lookup),
        admitted: (request, cachedTokens, nowSeconds, externalTokens) => {
          const sequence = request as Sequence;
          sequence.cachedTokens = cachedTokens;
          sequence.externalTokens = externalTokens;
          sequence.admittedSeconds = nowSeconds;
        },
        preempted: (request) => {
          (request as Sequence).preemptionsUnseen++;
        },
      },
    });
    this.#driver = new Driver({
      model: this.#model,
      timeScale,
      wallSeconds: () => performance.now() / 1000,
      onToken: (sequence, nowSeconds) => this.#onToken(sequence, nowSeconds),
      onStep: (step) => this.#onStep(step),
      ...(options.tier && { onIdle: () => this.#onIdleStep() }),
    });
    this.#stats = this.#model.stats;
    this.metrics = new EngineMetrics(options, this.modelName, () => this.#driver.lagSeconds);
  }

  #blockLifetimes(): BlockLifetimes | undefined {
    const { kvCacheMetricsSample: sampleRate, seed = 0 } = this.options;
    return sampleRate
      ? new BlockLifetimes({
          sampleRate,
          random: seededRandom(seed),
          nowSeconds: () => this.#driver.nowSeconds() * this.#wallPerModelSecond,
          onEnd: (lifetime) => this.metrics.onBlockEnd(lifetime),
        })
      : undefined;
  }

  /** The name in answers. */
  get modelName(): string {
    return this.servedModelNames[0] as string;
  }

  /** How late the last tokens were, wall seconds. */
  get lagSeconds(): number {
    return this.#driver.lagSeconds;
  }

  /** Whether it is late enough to matter. */
  get isBehind(): boolean {
    return this.lagSeconds > lagWarningSeconds;
  }

  /** What a second of the engine's clock lasts, wall seconds. */
  get wallPerModelSecond(): number {
    return this.#wallPerModelSecond;
  }

  /** Token ids that a request may name are below this. */
  get vocabularySize(): number {
    return this.options.vocabularySize ?? this.tokenizer.vocabularySize;
  }

  /** As of the end of the last step: vLLM tells no newer ones either. */
  stats(): EngineStats {
    return this.#stats;
  }

  /** How answers call the model that a request named: its adapter's name, or the first of ours. */
  answerName(model: string | null | undefined): string {
    return this.adapters.find(model)?.name ?? this.modelName;
  }

  /**
   * Whether `sequences` more may be queued.
   *
   * @throws {ApiError} 503 over a queue limit, 500 while draining.
   */
  checkAdmission(sequences: number): void {
    if (this.#isDraining) throw shuttingDown();
    const { maxNumQueuedReqs, maxNumQueuedTokens } = this.options;
    if (maxNumQueuedReqs !== undefined && this.#sequences.size + sequences > maxNumQueuedReqs) {
      this.metrics.onRejected('max_num_queued_reqs');
      throw tooManyRequests();
    }
    if (maxNumQueuedTokens !== undefined && this.#prefillTokens >= maxNumQueuedTokens) {
      this.metrics.onRejected('max_num_queued_tokens');
      throw tooManyTokens();
    }
  }

  /** The engine's own clock, GPU seconds. */
  nowSeconds(): number {
    return this.#driver.nowSeconds();
  }

  /** Queues a sequence; its tokens come through `onDelta`, the last with a finish reason. */
  generate(options: GenerationOptions): Sequence {
    const endToken = this.tokenizer.eosTokenId;
    const sequence = new Sequence(
      {
        ...options,
        // Of several end tokens the tokenizer's ends silently; the others are named, as in vLLM.
        stopTokens: options.ignoreEos
          ? options.stopTokens
          : [...options.stopTokens, ...(this.options.samplingDefaults?.endTokens ?? [])],
        id: `${options.id}-${randomHex(4)}`,
        kv: this.#kvEvents?.sequence(options.prompt, {
          cacheSalt: options.cacheSalt,
          lora: options.adapter,
          sessionId: options.sessionId,
        }),
        rootKey: rootKey(options.cacheSalt, options.adapter),
        blockSize: this.options.config.blockSize,
        source: this.#source(options, endToken),
        endToken,
      },
      this.tokenizer,
    );
    if (options.maxTokens < 1) {
      // Nothing to compute: the answer ends once its route has heard of the sequence.
      queueMicrotask(() => sequence.endEmpty());
      return sequence;
    }
    this.#sequences.add(sequence);
    this.#prefillTokens += sequence.promptTokens;
    this.#driver.add(sequence);
    return sequence;
  }

  /** The client has gone: frees the blocks at once, sends nothing. */
  cancel(sequence: Sequence): void {
    if (!this.#forget(sequence)) return;
    this.#driver.abort(sequence);
  }

  /**
   * @param options What else is reset: running requests give up their blocks, so that nothing holds
   *   one, and the tier below is emptied.
   * @returns False if a request holds blocks: nothing is reset then.
   */
  async resetPrefixCache(
    options: Parameters<EngineModel['resetPrefixCache']>[0],
  ): Promise<boolean> {
    await this.betweenSteps();
    const isReset = this.#model.resetPrefixCache(options);
    if (options?.resetConnector) this.#kvEvents?.resetTier();
    this.#driver.wake();
    return isReset;
  }

  resetCaches(): void {
    this.#model.resetPrefixCache({ resetRunningRequests: true, resetConnector: true });
    this.#kvEvents?.resetTier();
  }

  betweenSteps(): Promise<void> {
    return this.#driver.betweenSteps();
  }

  idle(): Promise<void> {
    return this.#driver.idle();
  }

  pause(what: 'new' | 'all'): void {
    this.#model.pause(what);
  }

  resume(): void {
    this.#model.resume();
    this.#driver.resume();
  }

  hasRunning(): boolean {
    return this.#model.stats.running > 0;
  }

  /** Ends all answers as aborted, and counts them: here the engine itself ends them. */
  abortAll(): void {
    const aborted = [...this.#sequences];
    if (aborted.length === 0) return;
    const nowSeconds = this.#driver.nowSeconds();
    for (const sequence of aborted) {
      this.#countInterval(sequence, nowSeconds);
      this.cancel(sequence);
      sequence.abort();
      this.#countFinished(sequence, 'abort');
    }
    this.metrics.onIteration(0);
  }

  /** Takes no more requests; resolves when those there are have ended. */
  drain(): Promise<void> {
    this.#isDraining = true;
    return new Promise((resolve) => {
      if (this.#sequences.size === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  /** Ends the answers of these requests as aborted; unknown ids are nothing to it. */
  abortRequests(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const sequence of [...this.#sequences]) {
      if (!wanted.has(sequence.externalId)) continue;
      this.cancel(sequence);
      sequence.abort();
    }
  }

  /** Ends every answer as aborted by its client. @returns How many vLLM says that it aborted. */
  abortEveryRequest(): number {
    const all = [...this.#sequences];
    // A request of several choices is one more: their parent.
    const parents = new Set(all.filter(({ choices }) => choices > 1).map((one) => one.externalId));
    this.abortRequests(all.map(({ externalId }) => externalId));
    return all.length + parents.size;
  }

  /** Ends every answer with an error. */
  failAll(): void {
    for (const sequence of [...this.#sequences]) {
      this.cancel(sequence);
      sequence.fail();
    }
  }

  close(): void {
    this.#driver.close();
    this.#sequences.clear();
  }

  #onToken(sequence: Sequence, nowSeconds: number): boolean {
    this.#generatedInStep++;
    // A preemption is news that travels with the request's next token.
    this.metrics.onPreempted(sequence.seePreemptions());
    if (sequence.output.length === 0) {
      const { promptTokens, cachedTokens, adapter } = sequence;
      this.#prefillTokens -= promptTokens;
      this.#prefilledInStep += promptTokens - cachedTokens;
      this.metrics.onPrefilled(sequence);
      if (adapter) this.#countAdapter(adapter.name, 1);
    }
    this.#countInterval(sequence, nowSeconds);
    const ends = sequence.sample();
    if (ends && this.#forget(sequence)) {
      this.#countFinished(sequence, sequence.finishReason === 'length' ? 'length' : 'stop');
    }
    return ends;
  }

  /** The time to the first token, or since the last. */
  #countInterval(sequence: Sequence, nowSeconds: number): void {
    const scale = this.#wallPerModelSecond;
    if (sequence.output.length === 0) {
      sequence.firstTokenSeconds = nowSeconds;
      this.metrics.onFirstToken((nowSeconds - sequence.arrivalSeconds) * scale);
    } else {
      this.metrics.onLaterToken((nowSeconds - sequence.lastTokenSeconds) * scale);
    }
    sequence.lastTokenSeconds = nowSeconds;
  }

  #countFinished(sequence: Sequence, reason: 'stop' | 'length' | 'abort'): void {
    const scale = this.#wallPerModelSecond;
    this.metrics.onFinished({
      reason,
      promptTokens: sequence.promptTokens,
      outputTokens: sequence.output.length,
      maxTokens: sequence.maxTokens,
      family: sequence.family,
      cachedTokens: sequence.cachedTokens,
      preemptions: sequence.preemptions,
      arrivalSeconds: sequence.arrivalSeconds * scale,
      admittedSeconds: sequence.admittedSeconds * scale,
      firstTokenSeconds: sequence.firstTokenSeconds * scale,
      lastTokenSeconds: sequence.lastTokenSeconds * scale,
    });
  }

  #countAdapter(name: string, by: 1 | -1): void {
    const count = (this.#adaptersAtWork.get(name) ?? 0) + by;
    if (count > 0) this.#adaptersAtWork.set(name, count);
    else this.#adaptersAtWork.delete(name);
  }

  /** @param step Undefined for one of no tokens. */
  #onStep(step: EngineStep | undefined): void {
    this.#kvEvents?.publish();
    const estimate = step && this.options.stepEstimate?.(step.load);
    if (estimate) this.metrics.onEstimate(estimate);
    if (this.#generatedInStep > 0) {
      this.metrics.onIteration(this.#generatedInStep + this.#prefilledInStep);
      this.metrics.onGenerated(this.#generatedInStep);
    }
    this.#tellStats();
    this.#wasTransferring = Number.isFinite(this.#model.wakeSeconds);
    this.#generatedInStep = 0;
    this.#prefilledInStep = 0;
    if (this.isBehind && !this.#hasFallenBehind) {
      this.#hasFallenBehind = true;
      this.options.log?.(
        `The engine is ${this.lagSeconds.toFixed(2)} s behind its own clock: this machine is too slow for the load at this time scale.`,
      );
    }
  }

  /** With nothing to run vLLM steps on, and reports, until its transfers are done. */
  #onIdleStep(): void {
    this.#kvEvents?.publishTransfers();
    const isTransferring = Number.isFinite(this.#model.wakeSeconds);
    if (isTransferring || this.#wasTransferring) this.#tellStats();
    this.#wasTransferring = isTransferring;
  }

  #tellStats(): void {
    this.#stats = this.#model.stats;
    this.metrics.onStats(this.#stats, [...this.#adaptersAtWork.keys()]);
  }

  #forget(sequence: Sequence): boolean {
    if (!this.#sequences.delete(sequence)) return false;
    if (sequence.output.length === 0) this.#prefillTokens -= sequence.promptTokens;
    else if (sequence.adapter) this.#countAdapter(sequence.adapter.name, -1);
    if (this.#sequences.size === 0) this.#onIdle?.();
    return true;
  }

  #source(options: GenerationOptions, endToken: number | undefined): TokenSource {
    const { script, thinks, ignoreEos } = options;
    if (script && !thinks && !ignoreEos) return scriptedTokens(script, endToken ?? 0);
    const random = seededRandom(this.#textSeed(options));
    const isUndecided = this.options.dummyWeights === true;
    const text = (end: number | undefined, tokensMin: number) =>
      this.#text(options, { random, endToken: end, tokensMin });
    const ends = !ignoreEos && !isUndecided ? endToken : undefined;
    const free = text(ends, options.minTokens);
    // What had to have a form goes on without one where the end is ignored.
    const answer = script
      ? ignoreEos
        ? tokensThen(script, free)
        : scriptedTokens(script, endToken ?? 0)
      : free;
    if (!thinks) return answer;
    return thinkFirst({
      thoughts: text(undefined, 0),
      end: this.tokenizer.encode(`\n${thinkingEnd}\n\n`, { addSpecialTokens: false }),
      answer,
      random,
    });
  }

  /** Words, as far as the request leaves them their choice. */
  #text(
    { allowedTokens: allowed, logitBias, ignoreEos, stopTokens }: GenerationOptions,
    how: { random: Random; endToken: number | undefined; tokensMin: number },
  ): TokenSource {
    const words = allowed
      ? { words: allowed, openers: allowed, capitals: allowed }
      : wordListOf(this.tokenizer);
    const ends = [...stopTokens, ...(ignoreEos ? [] : this.#endTokens)];
    return biasedTokens(syntheticText({ words, ...how }), {
      ...{ logitBias, allowed, tokensMin: how.tokensMin, ends: new Set(ends) },
      isUndecided: this.options.dummyWeights === true,
    });
  }

  /** The tokenizer's end token, and those of generation_config.json. */
  get #endTokens(): readonly number[] {
    const own = this.tokenizer.eosTokenId;
    const more = this.options.samplingDefaults?.endTokens ?? [];
    return own === undefined ? more : [own, ...more];
  }

  /** The same prompt gets the same answer, whatever came in between. */
  #textSeed({ prompt, seed = 0, choice, adapter }: GenerationOptions): number {
    const engineSeed = this.options.seed ?? 0;
    const key = hashTokenBlock(rootKey(undefined, adapter), prompt, 0, prompt.length);
    return hashTokenBlock(key, [engineSeed, seed, choice], 0, 3);
  }
}

/** The parent of first blocks: requests with different adapters or salts share nothing. */
function rootKey(salt: string | undefined, adapter: Adapter | undefined): number {
  let key = chainRoot;
  const texts = [adapter && `lora ${adapter.name} ${adapter.path}`, salt];
  for (const text of texts) {
    if (text === undefined) continue;
    const bytes = new TextEncoder().encode(text);
    key = hashTokenBlock(key, bytes, 0, bytes.length);
  }
  return key;
}
