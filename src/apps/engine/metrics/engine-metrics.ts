// The /metrics page: vLLM's families under its names, labels and buckets, in its order.
import type { CacheLookup, EngineStats } from '../../../core/engine/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { EngineServerOptions } from '../options.ts';
import type { SequenceFamily } from '../sequence.ts';
import type { BlockLifetime } from './block-lifetimes.ts';
import { declareFamilies } from './families.ts';
import { declareHttpMetrics, type HttpAnswer } from './http-metrics.ts';
import type { OffloadMetrics } from './offload-metrics.ts';
import { declareProcessMetrics } from './process-metrics.ts';
import {
  declareSleepMode,
  type SleepOperation,
  type SleepState,
  sleepStates,
} from './sleep-mode.ts';

/** What the engine reports of one finished request; wall seconds. */
export interface FinishedRequest {
  readonly reason: 'stop' | 'length' | 'abort';
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly maxTokens: number;
  /** The choices it is one of. */
  readonly family: SequenceFamily;
  readonly cachedTokens: number;
  readonly preemptions: number;
  readonly arrivalSeconds: number;
  readonly admittedSeconds: number;
  readonly firstTokenSeconds: number;
  readonly lastTokenSeconds: number;
}

/** Where the tokens of a prompt came from. */
export interface PromptSources {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Of `cachedTokens`, what a tier below the GPU gave. */
  readonly externalTokens: number;
}

export class EngineMetrics {
  /** An HTTP answer is out. */
  readonly onAnswer: (answer: HttpAnswer) => void;
  readonly #registry: MetricsRegistry;
  readonly #page: ReturnType<typeof declareFamilies>;

  /** Counted at admission, shown with the next step, as what a scheduler tells of a step. */
  readonly #lookups: CacheLookup[] = [];
  #sleepMode: ReturnType<typeof declareSleepMode> | undefined;

  /** @param lagSeconds The driver's lag now. */
  constructor(options: EngineServerOptions, modelName: string, lagSeconds: () => number) {
    this.#registry = new MetricsRegistry({ createdSeconds: Date.now() / 1000 });
    declareProcessMetrics(this.#registry);
    this.#page = declareFamilies(this.#registry, options, modelName);
    this.onAnswer = declareHttpMetrics(this.#registry);
    this.#registry.onRender(() => this.#page.lag.set(lagSeconds()));
  }

  render(): string {
    return this.#registry.render();
  }

  /** Those of native KV offload; undefined without it. */
  get offload(): OffloadMetrics | undefined {
    return this.#page.offload;
  }

  /** The caches were asked for a request; vLLM does not count again after a preemption. */
  onLookup(lookup: CacheLookup): void {
    if (!lookup.isRepeated) this.#lookups.push(lookup);
  }

  /**
   * A step is over.
   *
   * @param stats The engine at its end; the gauges stay so until the next step has ended.
   * @param adapters Names of adapters at work.
   */
  onStats(stats: EngineStats, adapters: readonly string[]): void {
    const page = this.#page;
    page.running.set(stats.running);
    page.waiting.set(stats.waiting);
    page.waitingForCapacity.set(stats.waiting - stats.deferred);
    page.waitingDeferred.set(stats.deferred);
    page.fetchStage?.waiting_to_start.set(stats.waitingToLoad);
    page.fetchStage?.in_progress.set(stats.loading);
    page.fetchStage?.completed_waiting.set(stats.loaded);
    page.kvUsage.set(stats.kvUsage);
    for (const lookup of this.#lookups.splice(0)) this.#countLookup(lookup);
    if (stats.tiers) page.offload?.onStep(stats.tiers);
    page.adaptersAtWork?.(adapters.join(','));
  }

  /** The prompt counts, whole, when the first token is out. */
  onPrefilled({ promptTokens, cachedTokens, externalTokens }: PromptSources): void {
    const page = this.#page;
    page.promptTokens.inc(promptTokens);
    page.promptComputed.inc(promptTokens - cachedTokens);
    page.promptFromCache.inc(cachedTokens - externalTokens);
    page.promptFromTiers.inc(externalTokens);
    page.promptCached.inc(cachedTokens);
  }

  #countLookup({ tokens, localTokens, external }: CacheLookup): void {
    const page = this.#page;
    page.prefixQueries.inc(tokens);
    page.prefixHits.inc(localTokens);
    page.cachedBySource.device.inc(localTokens);
    if (external === undefined) return;
    page.externalQueries.inc(tokens - localTokens);
    page.externalHits.inc(external.tokens);
    page.cachedBySource[external.source].inc(external.tokens);
  }

  /** Of the first token, or of an end without one. */
  onFirstToken(seconds: number): void {
    this.#page.firstToken.observe(seconds);
  }

  onLaterToken(secondsSinceLast: number): void {
    this.#page.interToken.observe(secondsSinceLast);
  }

  onGenerated(tokens: number): void {
    this.#page.generationTokens.inc(tokens);
  }

  /** @param tokens Sampled, and of the prompts whose first token came; of a step that gave any. */
  onIteration(tokens: number): void {
    this.#page.iterationTokens.observe(tokens);
  }

  onPreempted(times: number): void {
    this.#page.preemptions.inc(times);
  }

  /** What the step cost the GPU that is emulated. */
  onEstimate(step: { flops: number; readBytes: number; writeBytes: number }): void {
    this.#page.flops.inc(step.flops);
    this.#page.readBytes.inc(step.readBytes);
    this.#page.writeBytes.inc(step.writeBytes);
  }

  /** Not called for requests whose client has gone: vLLM counts those nowhere. */
  onFinished(request: FinishedRequest): void {
    const page = this.#page;
    const { admittedSeconds, arrivalSeconds, firstTokenSeconds, lastTokenSeconds } = request;
    page.success[request.reason].inc();
    page.requestPrompt.observe(request.promptTokens);
    page.requestGeneration.observe(request.outputTokens);
    page.requestMaxTokens.observe(request.maxTokens);
    page.requestPreemptions.observe(request.preemptions);
    page.requestComputed.observe(request.promptTokens - request.cachedTokens);
    page.e2e.observe(lastTokenSeconds - arrivalSeconds);
    page.queue.observe(admittedSeconds - arrivalSeconds);
    page.inference.observe(lastTokenSeconds - admittedSeconds);
    page.prefill.observe(firstTokenSeconds - admittedSeconds);
    page.decode.observe(lastTokenSeconds - firstTokenSeconds);
    page.perOutputToken.observe(
      request.outputTokens > 1
        ? (lastTokenSeconds - firstTokenSeconds) / (request.outputTokens - 1)
        : 0,
    );
    this.#countFamily(request);
  }

  /** Choices of one prompt are one request: it counts when the last of them is there. */
  #countFamily({ family, outputTokens }: FinishedRequest): void {
    family.finished++;
    family.longestTokens = Math.max(family.longestTokens, outputTokens);
    if (family.finished < family.choices) return;
    this.#page.requestMaxGeneration.observe(family.longestTokens);
    this.#page.requestChoices.observe(family.choices);
  }

  /** Called for blocks of the sample alone. */
  onBlockEnd({ lifetimeSeconds, idleSeconds, reuseGapsSeconds }: BlockLifetime): void {
    const blocks = this.#page.kvBlocks;
    blocks?.lifetime.observe(lifetimeSeconds);
    blocks?.idle.observe(idleSeconds);
    for (const gap of reuseGapsSeconds) blocks?.reuseGap.observe(gap);
  }

  onSleepState(state: SleepState | undefined): void {
    for (const known of sleepStates) this.#page.sleep[known].set(known === state ? 1 : 0);
  }

  /** One operation of sleep mode; its families are there from the first one on, as in vLLM. */
  async timed<T>(operation: SleepOperation, run: () => T | Promise<T>): Promise<T> {
    this.#sleepMode ??= declareSleepMode(this.#registry);
    const { duration, inFlight } = this.#sleepMode(operation);
    const startMs = performance.now();
    inFlight.add(1);
    try {
      return await run();
    } finally {
      inFlight.add(-1);
      duration.observe((performance.now() - startMs) / 1000);
    }
  }

  onRejected(reason: 'max_num_queued_reqs' | 'max_num_queued_tokens'): void {
    this.#page.rejections[reason].inc();
  }

  onToolParser(isStream: boolean, outcome: 'tool_call' | 'no_tool_call'): void {
    const mode = isStream ? 'streaming' : 'non_streaming';
    this.#page.toolParser?.(mode, outcome, 'chat_completions').inc();
  }
}
