// The embedded engine without its HTTP edge: turns requests into tokens on the engine model's time.
import { createHash } from 'node:crypto';
import { seededRandom } from '../../../core/base/index.ts';
import { EngineModel, type EngineStats, type EngineStep } from '../../../core/engine/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { Adapters } from '../adapters/adapters.ts';
import { randomHex } from '../base/random-hex.ts';
import { BlockLifetimes } from '../metrics/block-lifetimes.ts';
import { EngineMetrics } from '../metrics/engine-metrics.ts';
import { IterationStats } from '../metrics/iteration-stats.ts';
import type { EngineServerOptions } from '../options.ts';
import { GeneratedSequence } from '../sequences/generated-sequence.ts';
import { OpenSequences } from '../sequences/open-sequences.ts';
import { prefixRoot } from '../sequences/prefix-root.ts';
import type { SequenceRequest } from '../sequences/sequence-request.ts';
import { responseTokens, type TextModel } from '../text/response-tokens.ts';
import { createConnector } from '../tiers/create-connector.ts';
import { OutsideWork, type SideChannel } from '../tiers/outside-work.ts';
import { Driver } from './driver.ts';
import type { KvEvents } from './kv-events.ts';
import { PromptEncoder } from './prompt-encoder.ts';
import { type Pausable, SleepControl } from './sleep-control.ts';

/** The release whose behaviour is emulated. */
export const emulatedVersion = '0.32.0';

/** Lag above which the engine logs that it has fallen behind, wall seconds. */
const lagWarningSeconds = 0.1;

/** Replies of a cache server on this machine come sooner, unless the machine is busy. */
const slowReplyMs = 100;

/** One engine; a process can run as many as its memory allows. */
export class EmbeddedEngine implements Pausable {
  readonly options: EngineServerOptions;
  readonly tokenizer: Tokenizer;
  /** Encodes what clients send, which may be long. */
  readonly prompts: PromptEncoder;
  readonly servedModelNames: readonly string[];
  readonly metrics: EngineMetrics;
  readonly adapters: Adapters;
  readonly sleepControl = new SleepControl(this);
  /** Like vLLM's: the version and eight digits that identify the configuration. */
  readonly systemFingerprint: string;
  /** HTTP requests in flight on the routes that vLLM tracks. */
  serverLoad = 0;
  readonly #model: EngineModel;
  readonly #driver: Driver<GeneratedSequence>;
  readonly #kvEvents: KvEvents | undefined;
  readonly #outside = new OutsideWork();
  readonly #open: OpenSequences;
  readonly #iteration: IterationStats;
  readonly #textModel: TextModel;
  readonly #wallPerModelSecond: number;
  #stats: EngineStats;
  #hasFallenBehind = false;
  /** Whether KV was moving between tiers at the engine's last report. */
  #wasTransferring = false;

  /** @param kvEvents Publisher of KV events; without one, no events are created. */
  constructor(options: EngineServerOptions, kvEvents?: KvEvents) {
    this.options = options;
    this.#kvEvents = kvEvents;
    this.tokenizer = options.tokenizer;
    this.prompts = new PromptEncoder(this.tokenizer);
    this.servedModelNames = options.servedModelNames ?? [options.model];
    this.adapters = new Adapters(options.lora, this.servedModelNames);
    const digest = createHash('sha256').update(JSON.stringify(options.config)).digest('hex');
    this.systemFingerprint = `vllm-${emulatedVersion}-${digest.slice(0, 8)}`;
    const timeScale = options.timeScale ?? 1;
    this.#wallPerModelSecond = Number.isFinite(timeScale) ? 1 / timeScale : 1;
    this.#model = new EngineModel({
      config: options.config,
      cost: options.cost,
      countsEvicted: true,
      connector: createConnector(
        options,
        {
          ...kvEvents?.tierListener,
          transferred: (...transfer) => {
            this.metrics.offload?.onTransfer(...transfer);
            this.metrics.lmcache?.onTransfer(...transfer);
          },
          lookedUp: (chunks) => this.metrics.offload?.onLookup(chunks),
          lookupDelayed: (seconds) =>
            this.metrics.offload?.onLookupDelayed(seconds * this.#wallPerModelSecond),
          allocating: (chunks) => this.metrics.offload?.onAllocating(chunks),
        },
        this.#outside,
      ),
      listener: {
        ...kvEvents?.listener,
        blocks: this.#blockLifetimes(),
        lookedUp: (lookup) => this.metrics.onLookup(lookup),
        admitted: (request, cachedTokens, nowSeconds, externalTokens) => {
          const sequence = request as GeneratedSequence;
          sequence.cachedTokens = cachedTokens;
          sequence.externalTokens = externalTokens;
          sequence.admittedSeconds = nowSeconds;
        },
        preempted: (request) => {
          (request as GeneratedSequence).preemptionsUnseen++;
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
      isHeld: () => this.#outside.pending > 0,
    });
    // The emulated link has its own time; what a slow or lost server adds to it passes on the engine's clock, too.
    this.#outside.wake = (tookMs) => {
      if (tookMs > slowReplyMs) this.#driver.resume();
      else this.#driver.wake();
    };
    this.#outside.failed = (request) => this.#fail(request as GeneratedSequence);
    this.#stats = this.#model.stats;
    this.metrics = new EngineMetrics(
      options,
      this.modelName,
      () => this.#driver.lagSeconds,
      this.#outside,
    );
    this.#iteration = new IterationStats(this.metrics, this.#wallPerModelSecond);
    this.#open = new OpenSequences(options);
    this.#textModel = {
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

  /** The model name in responses. */
  get modelName(): string {
    return this.servedModelNames[0] as string;
  }

  /** Delay of the last tokens, wall seconds. */
  get lagSeconds(): number {
    return this.#driver.lagSeconds;
  }

  /** Whether the delay is large enough to log. */
  get isBehind(): boolean {
    return this.lagSeconds > lagWarningSeconds;
  }

  /** How other engines read what this one keeps for them; undefined without NIXL. */
  get sideChannel(): SideChannel | undefined {
    return this.#outside.sideChannel;
  }

  /** Wall seconds per second of the engine's clock. */
  get wallPerModelSecond(): number {
    return this.#wallPerModelSecond;
  }

  /** Upper bound of the token ids that a request may use, exclusive: those of the model and of its tokenizer. */
  get vocabularySize(): number {
    return this.options.vocabularySize ?? this.tokenizer.vocabularySize;
  }

  /** Statistics at the end of the last step; vLLM reports nothing newer either. */
  stats(): EngineStats {
    return this.#stats;
  }

  /** The model name in responses: the name of the requested adapter, or the first served name. */
  responseModelName(model: string | null | undefined): string {
    return this.adapters.find(model)?.name ?? this.modelName;
  }

  /**
   * Checks that `sequences` more may be queued.
   *
   * @throws {ApiError} 503 over a queue limit, 500 while draining.
   */
  checkAdmission(sequences: number): void {
    this.#open.checkRoom(sequences, (limit) => this.metrics.onRejected(limit));
  }

  /** Slows the engine down, or stops it. @param speed Share of the full speed, in [0, 1]. */
  setSpeed(speed: number): void {
    this.#driver.setSpeed(speed);
  }

  /** The engine's own clock, GPU seconds. */
  nowSeconds(): number {
    return this.#driver.nowSeconds();
  }

  /** Queues a sequence; its tokens arrive through `onDelta`, the last with a finish reason. */
  generate(options: SequenceRequest): GeneratedSequence {
    const sequence = new GeneratedSequence(
      {
        ...options,
        // The tokenizer's end token ends silently; other end tokens are reported, as in vLLM.
        stopTokens: options.ignoreEos
          ? options.stopTokens
          : [...options.stopTokens, ...this.#textModel.endTokens],
        id: `${options.id}-${randomHex(4)}`,
        kv: this.#kvEvents?.sequence(options.prompt, {
          cacheSalt: options.cacheSalt,
          lora: options.adapter,
          sessionId: options.sessionId,
        }),
        rootKey: prefixRoot(options.cacheSalt, options.adapter),
        blockSize: this.options.config.blockSize,
        source: responseTokens(this.#textModel, options),
        endToken: this.tokenizer.eosTokenId,
      },
      this.tokenizer,
    );
    if (options.maxTokens < 1) {
      // Nothing to compute: the response ends once its route has received the sequence.
      queueMicrotask(() => sequence.endEmpty());
      return sequence;
    }
    this.#open.add(sequence);
    this.#outside.announced(sequence);
    this.#driver.add(sequence);
    return sequence;
  }

  /** Handles a client disconnect: frees the blocks at once and sends nothing. */
  cancel(sequence: GeneratedSequence): void {
    if (!this.#forget(sequence)) return;
    this.#driver.abort(sequence);
  }

  /**
   * @param options What else to reset: running requests give up their blocks, so that none is in use,
   *   and the tier below is emptied.
   * @returns False if a request holds blocks; nothing is reset in that case.
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

  /** Ends all responses as aborted and counts them, since the engine itself ends them. */
  abortAll(): void {
    const aborted = [...this.#open];
    for (const sequence of aborted) {
      this.cancel(sequence);
      sequence.abort();
    }
    this.#iteration.onAborted(aborted, this.#driver.nowSeconds());
  }

  /** Accepts no more requests; resolves when the current ones have ended. */
  drain(): Promise<void> {
    return this.#open.drain();
  }

  /** Ends the responses to these requests as aborted; ignores unknown ids. */
  abortRequests(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const sequence of [...this.#open]) {
      if (!wanted.has(sequence.externalId)) continue;
      this.cancel(sequence);
      sequence.abort();
    }
  }

  /** Ends every response as aborted by its client. @returns The number of aborted requests that vLLM reports. */
  abortEveryRequest(): number {
    const all = [...this.#open];
    // A request with several choices counts one more: their parent.
    const parents = new Set(all.filter(({ choices }) => choices > 1).map((one) => one.externalId));
    this.abortRequests(all.map(({ externalId }) => externalId));
    return all.length + parents.size;
  }

  #fail(sequence: GeneratedSequence): void {
    if (!this.#forget(sequence)) return;
    this.#driver.abort(sequence);
    sequence.fail();
  }

  /** Ends every response with an error. */
  failAll(): void {
    for (const sequence of [...this.#open]) this.#fail(sequence);
  }

  /** Its server listens: what it tells others from now on is under this URL. */
  async listening(url: string): Promise<void> {
    await this.#outside.listening(url);
  }

  close(): void {
    this.#driver.close();
    this.#outside.close();
    this.#open.clear();
  }

  #onToken(sequence: GeneratedSequence, nowSeconds: number): boolean {
    if (sequence.output.length === 0) this.#open.prefilled(sequence);
    this.#iteration.onToken(sequence, nowSeconds);
    const ends = sequence.sample();
    if (ends && this.#forget(sequence)) this.#iteration.onFinished(sequence);
    return ends;
  }

  /** @param step Undefined for a step without tokens. */
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
        `The engine is ${this.lagSeconds.toFixed(2)} s behind its own clock: this machine is too slow for this load at this time scale.`,
      );
    }
  }

  /** Without requests, vLLM keeps stepping and reporting until its transfers are done. */
  #onIdleStep(): void {
    this.#kvEvents?.publishTransfers();
    const isTransferring = Number.isFinite(this.#model.wakeSeconds);
    if (isTransferring || this.#wasTransferring || this.#outside.hasFreed) this.#tellStats();
    this.#wasTransferring = isTransferring;
  }

  #tellStats(): void {
    this.#outside.hasFreed = false;
    this.#stats = this.#model.stats;
    this.#iteration.onStats(this.#stats);
  }

  #forget(sequence: GeneratedSequence): boolean {
    if (!this.#open.delete(sequence)) return false;
    this.#iteration.onGone(sequence);
    return true;
  }
}
