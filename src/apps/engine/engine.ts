// The embedded engine without its HTTP edge: requests in, tokens out, on the engine model's time.
import { createHash } from 'node:crypto';
import { seededRandom } from '../../core/base/index.ts';
import { EngineModel, type EngineStats, type EngineStep } from '../../core/engine/index.ts';
import { chainRoot, hashTokenBlock } from '../../core/kv/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { Driver } from './driver.ts';
import { shuttingDown, tooManyRequests, tooManyTokens } from './generation/admission-errors.ts';
import type { GenerationOptions } from './generation/generation-options.ts';
import { randomHex } from './generation/request-id.ts';
import type { KvEvents } from './kv-events.ts';
import { EngineMetrics } from './metrics/engine-metrics.ts';
import type { EngineServerOptions } from './options.ts';
import { Sequence } from './sequence.ts';
import { syntheticText } from './text/synthetic-text.ts';
import { thinkFirst, thinkingEnd } from './text/thinking.ts';
import { scriptedTokens, type TokenSource } from './text/token-source.ts';
import { wordListOf } from './text/word-list.ts';

/** The release whose behaviour is emulated. */
export const emulatedVersion = '0.32.0';

/** Lag, in wall seconds, from which the engine says that it has fallen behind. */
const lagWarningSeconds = 0.1;

/** An engine; as many in one process as there is memory for. */
export class Engine {
  readonly options: EngineServerOptions;
  readonly tokenizer: Tokenizer;
  readonly servedModelNames: readonly string[];
  readonly metrics: EngineMetrics;
  /** As real vLLM's: version, and eight digits that stand for the configuration. */
  readonly systemFingerprint: string;
  /** HTTP requests within the routes that vLLM tracks. */
  serverLoad = 0;
  readonly #model: EngineModel;
  readonly #driver: Driver<Sequence>;
  readonly #kvEvents: KvEvents | undefined;
  readonly #sequences = new Set<Sequence>();
  readonly #wallPerModelSecond: number;
  #prefillTokens = 0;
  #generatedInStep = 0;
  #prefilledInStep = 0;
  #hasFallenBehind = false;
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  /** @param kvEvents Where KV events go; they are not made when undefined. */
  constructor(options: EngineServerOptions, kvEvents?: KvEvents) {
    this.options = options;
    this.#kvEvents = kvEvents;
    this.tokenizer = options.tokenizer;
    this.servedModelNames = options.servedModelNames ?? [options.model];
    const digest = createHash('sha256').update(JSON.stringify(options.config)).digest('hex');
    this.systemFingerprint = `vllm-${emulatedVersion}-${digest.slice(0, 8)}`;
    const timeScale = options.timeScale ?? 1;
    this.#wallPerModelSecond = Number.isFinite(timeScale) ? 1 / timeScale : 1;
    this.#model = new EngineModel({
      config: options.config,
      cost: options.cost,
      listener: {
        ...kvEvents?.listener,
        admitted: (request, cachedTokens, nowSeconds) => {
          const sequence = request as Sequence;
          sequence.cachedTokens = cachedTokens;
          sequence.admittedSeconds = nowSeconds;
          this.metrics.onAdmitted(sequence.promptTokens, cachedTokens);
        },
        preempted: (request) => {
          (request as Sequence).preemptions++;
        },
      },
    });
    this.#driver = new Driver({
      model: this.#model,
      timeScale,
      wallSeconds: () => performance.now() / 1000,
      onToken: (sequence, nowSeconds) => this.#onToken(sequence, nowSeconds),
      onStep: (step) => this.#onStep(step),
    });
    this.metrics = new EngineMetrics(
      options,
      this.modelName,
      () => this.stats(),
      () => this.#driver.lagSeconds,
    );
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

  stats(): EngineStats {
    return this.#model.stats;
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

  /** Queues a sequence; its tokens come through `onDelta`, the last with a finish reason. */
  generate(options: GenerationOptions): Sequence {
    const endToken = this.tokenizer.eosTokenId;
    const sequence = new Sequence(
      {
        ...options,
        id: `${options.id}-${randomHex(4)}`,
        kv: this.#kvEvents?.sequence(options.prompt, options.cacheSalt),
        rootKey: rootKey(options.cacheSalt),
        blockSize: this.options.config.blockSize,
        arrivalSeconds: this.#driver.nowSeconds(),
        source: this.#source(options, endToken),
        endToken,
      },
      this.tokenizer,
    );
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

  /** @returns False if a request holds blocks: nothing is reset then. */
  resetPrefixCache(): boolean {
    return this.#model.resetPrefixCache();
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
      // Without what makes it unique here; only completions number their prompts for clients.
      const numbered = sequence.id.slice(0, sequence.id.lastIndexOf('-'));
      const plain = numbered.slice(0, numbered.lastIndexOf('-'));
      if (!wanted.has(numbered) && (plain.startsWith('cmpl-') || !wanted.has(plain))) continue;
      this.cancel(sequence);
      sequence.abort();
    }
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
    const scale = this.#wallPerModelSecond;
    this.#generatedInStep++;
    if (sequence.output.length === 0) {
      this.#prefillTokens -= sequence.promptTokens;
      this.#prefilledInStep += sequence.promptTokens - sequence.cachedTokens;
      sequence.firstTokenSeconds = nowSeconds;
      this.metrics.onFirstToken(
        sequence.promptTokens,
        sequence.cachedTokens,
        (nowSeconds - sequence.arrivalSeconds) * scale,
      );
    } else {
      this.metrics.onLaterToken((nowSeconds - sequence.lastTokenSeconds) * scale);
    }
    sequence.lastTokenSeconds = nowSeconds;
    const ends = sequence.sample();
    if (ends && this.#forget(sequence)) {
      this.metrics.onFinished({
        reason: sequence.finishReason === 'length' ? 'length' : 'stop',
        promptTokens: sequence.promptTokens,
        outputTokens: sequence.output.length,
        maxTokens: sequence.maxTokens,
        choices: sequence.choices,
        cachedTokens: sequence.cachedTokens,
        preemptions: sequence.preemptions,
        arrivalSeconds: sequence.arrivalSeconds * scale,
        admittedSeconds: sequence.admittedSeconds * scale,
        firstTokenSeconds: sequence.firstTokenSeconds * scale,
        lastTokenSeconds: sequence.lastTokenSeconds * scale,
      });
    }
    return ends;
  }

  #onStep(step: EngineStep): void {
    this.#kvEvents?.publish();
    const estimate = this.options.stepEstimate?.(step.load);
    if (estimate) this.metrics.onEstimate(estimate);
    this.metrics.onStep(this.#generatedInStep, this.#prefilledInStep);
    this.#generatedInStep = 0;
    this.#prefilledInStep = 0;
    if (this.isBehind && !this.#hasFallenBehind) {
      this.#hasFallenBehind = true;
      this.options.log?.(
        `The engine is ${this.lagSeconds.toFixed(2)} s behind its own clock: this machine is too slow for the load at this time scale.`,
      );
    }
  }

  #forget(sequence: Sequence): boolean {
    if (!this.#sequences.delete(sequence)) return false;
    if (sequence.output.length === 0) this.#prefillTokens -= sequence.promptTokens;
    if (this.#sequences.size === 0) this.#onIdle?.();
    return true;
  }

  #source(options: GenerationOptions, endToken: number | undefined): TokenSource {
    const { script, thinks, allowedTokens } = options;
    if (script && !thinks) return scriptedTokens(script, endToken ?? 0);
    const random = seededRandom(this.#textSeed(options));
    const words = allowedTokens
      ? { words: allowedTokens, openers: allowedTokens, capitals: allowedTokens }
      : wordListOf(this.tokenizer);
    const answer = script
      ? scriptedTokens(script, endToken ?? 0)
      : syntheticText({
          words,
          random,
          endToken: options.ignoreEos ? undefined : endToken,
          tokensMin: options.minTokens,
        });
    if (!thinks) return answer;
    return thinkFirst({
      thoughts: syntheticText({ words, random, endToken: undefined, tokensMin: 0 }),
      end: this.tokenizer.encode(`\n${thinkingEnd}\n\n`, { addSpecialTokens: false }),
      answer,
      random,
    });
  }

  /** The same prompt gets the same answer, whatever came in between. */
  #textSeed({ prompt, seed = 0, choice }: GenerationOptions): number {
    const engineSeed = this.options.seed ?? 0;
    const key = hashTokenBlock(chainRoot, prompt, 0, prompt.length);
    return hashTokenBlock(key, [engineSeed, seed, choice], 0, 3);
  }
}

/** The parent of first blocks: requests with different salts share nothing. */
function rootKey(salt: string | undefined): number {
  if (salt === undefined) return chainRoot;
  const bytes = new TextEncoder().encode(salt);
  return hashTokenBlock(chainRoot, bytes, 0, bytes.length);
}
