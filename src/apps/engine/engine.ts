// The embedded engine without its HTTP edge: requests in, tokens out, on the engine model's time.
import { createHash } from 'node:crypto';
import { seededRandom } from '../../core/base/index.ts';
import { EngineModel, type EngineStats, type EngineStep } from '../../core/engine/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { Adapters } from './adapters/adapters.ts';
import { Driver } from './driver.ts';
import type { GenerationOptions } from './generation/generation-options.ts';
import { prefixRoot } from './generation/prefix-root.ts';
import { randomHex } from './generation/request-id.ts';
import type { KvEvents } from './kv-events.ts';
import { OpenSequences } from './lifecycle/open-sequences.ts';
import { type Pausable, SleepControl } from './lifecycle/sleep-control.ts';
import { BlockLifetimes } from './metrics/block-lifetimes.ts';
import { EngineMetrics } from './metrics/engine-metrics.ts';
import { IterationStats } from './metrics/iteration-stats.ts';
import type { EngineServerOptions } from './options.ts';
import { Sequence } from './sequence.ts';
import { type AnswerModel, answerTokens } from './text/answer-tokens.ts';
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
  readonly #open: OpenSequences;
  readonly #iteration: IterationStats;
  readonly #answers: AnswerModel;
  readonly #wallPerModelSecond: number;
  #stats: EngineStats;
  #hasFallenBehind = false;
  /** KV moved between tiers when the engine last told of itself. */
  #wasTransferring = false;

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
    this.#iteration = new IterationStats(this.metrics, this.#wallPerModelSecond);
    this.#open = new OpenSequences(options);
    this.#answers = {
      tokenizer: options.tokenizer,
      endTokens: options.samplingDefaults?.endTokens ?? [],
      seed: options.seed ?? 0,
      isUndecided: options.dummyWeights === true,
    };
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
    this.#open.checkRoom(sequences, (limit) => this.metrics.onRejected(limit));
  }

  /** The engine's own clock, GPU seconds. */
  nowSeconds(): number {
    return this.#driver.nowSeconds();
  }

  /** Queues a sequence; its tokens come through `onDelta`, the last with a finish reason. */
  generate(options: GenerationOptions): Sequence {
    const sequence = new Sequence(
      {
        ...options,
        // Of several end tokens the tokenizer's ends silently; the others are named, as in vLLM.
        stopTokens: options.ignoreEos
          ? options.stopTokens
          : [...options.stopTokens, ...this.#answers.endTokens],
        id: `${options.id}-${randomHex(4)}`,
        kv: this.#kvEvents?.sequence(options.prompt, {
          cacheSalt: options.cacheSalt,
          lora: options.adapter,
          sessionId: options.sessionId,
        }),
        rootKey: prefixRoot(options.cacheSalt, options.adapter),
        blockSize: this.options.config.blockSize,
        source: answerTokens(this.#answers, options),
        endToken: this.tokenizer.eosTokenId,
      },
      this.tokenizer,
    );
    if (options.maxTokens < 1) {
      // Nothing to compute: the answer ends once its route has heard of the sequence.
      queueMicrotask(() => sequence.endEmpty());
      return sequence;
    }
    this.#open.add(sequence);
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
    const aborted = [...this.#open];
    for (const sequence of aborted) {
      this.cancel(sequence);
      sequence.abort();
    }
    this.#iteration.onAborted(aborted, this.#driver.nowSeconds());
  }

  /** Takes no more requests; resolves when those there are have ended. */
  drain(): Promise<void> {
    return this.#open.drain();
  }

  /** Ends the answers of these requests as aborted; unknown ids are nothing to it. */
  abortRequests(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const sequence of [...this.#open]) {
      if (!wanted.has(sequence.externalId)) continue;
      this.cancel(sequence);
      sequence.abort();
    }
  }

  /** Ends every answer as aborted by its client. @returns How many vLLM says that it aborted. */
  abortEveryRequest(): number {
    const all = [...this.#open];
    // A request of several choices is one more: their parent.
    const parents = new Set(all.filter(({ choices }) => choices > 1).map((one) => one.externalId));
    this.abortRequests(all.map(({ externalId }) => externalId));
    return all.length + parents.size;
  }

  /** Ends every answer with an error. */
  failAll(): void {
    for (const sequence of [...this.#open]) {
      this.cancel(sequence);
      sequence.fail();
    }
  }

  close(): void {
    this.#driver.close();
    this.#open.clear();
  }

  #onToken(sequence: Sequence, nowSeconds: number): boolean {
    if (sequence.output.length === 0) this.#open.prefilled(sequence);
    this.#iteration.onToken(sequence, nowSeconds);
    const ends = sequence.sample();
    if (ends && this.#forget(sequence)) this.#iteration.onFinished(sequence);
    return ends;
  }

  /** @param step Undefined for one of no tokens. */
  #onStep(step: EngineStep | undefined): void {
    this.#kvEvents?.publish();
    const estimate = step && this.options.stepEstimate?.(step.load);
    if (estimate) this.metrics.onEstimate(estimate);
    this.#iteration.onStep();
    this.#tellStats();
    this.#wasTransferring = Number.isFinite(this.#model.wakeSeconds);
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
    this.#iteration.onStats(this.#stats);
  }

  #forget(sequence: Sequence): boolean {
    if (!this.#open.delete(sequence)) return false;
    this.#iteration.onGone(sequence);
    return true;
  }
}
