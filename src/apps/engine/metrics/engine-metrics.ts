// The /metrics page: vLLM's families with its names, labels, buckets and order.
import type { CacheLookup, EngineStats } from '../../../core/engine/index.ts';
import { type Counter, MetricsRegistry } from '../../../core/metrics/index.ts';
import { declareProcessMetrics } from '../../../io/process-metrics/index.ts';
import type { FinishedExchange } from '../http/server.ts';
import type { EngineServerOptions } from '../options.ts';
import type { SequenceFamily } from '../sequences/generated-sequence.ts';
import { OutsideWork } from '../tiers/outside-work.ts';
import type { BlockLifetime } from './block-lifetimes.ts';
import { declareFamilies } from './families.ts';
import { declareHttpMetrics } from './http-metrics.ts';
import type { LmcacheMetrics } from './lmcache-metrics.ts';
import type { OffloadMetrics } from './offload-metrics.ts';
import {
  declareSleepMode,
  type SleepOperation,
  type SleepState,
  sleepStates,
} from './sleep-mode.ts';

/** The engine's report on one finished request; in wall seconds. */
export interface FinishedRequest {
  readonly reason: 'stop' | 'length' | 'abort';
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Undefined for a prompt that is only computed. */
  readonly maxTokens: number | undefined;
  /** The choices of its prompt. */
  readonly family: SequenceFamily;
  readonly cachedTokens: number;
  readonly preemptions: number;
  readonly arrivalSeconds: number;
  readonly admittedSeconds: number;
  readonly firstTokenSeconds: number;
  readonly lastTokenSeconds: number;
}

/** Sources of the tokens of a prompt. */
export interface PromptSources {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Tokens of `cachedTokens` from a tier below the GPU. */
  readonly externalTokens: number;
}

export class EngineMetrics {
  /** Called when an HTTP response was sent. */
  readonly onHttpResponse: (finished: FinishedExchange) => void;
  readonly #registry: MetricsRegistry;
  readonly #page: ReturnType<typeof declareFamilies>;

  /** Counted at admission and shown with the next step, because a scheduler reports per step. */
  readonly #lookups: CacheLookup[] = [];
  #sleepMode: ReturnType<typeof declareSleepMode> | undefined;

  /**
   * @param lagSeconds Returns the driver's current lag.
   * @param outside Counters of the servers and engines that LMCache uses; nothing by default.
   */
  constructor(
    options: EngineServerOptions,
    modelName: string,
    lagSeconds: () => number,
    outside: OutsideWork = new OutsideWork(),
  ) {
    this.#registry = new MetricsRegistry({ createdSeconds: Date.now() / 1000 });
    declareProcessMetrics(this.#registry);
    this.#page = declareFamilies(this.#registry, options, modelName, outside);
    this.onHttpResponse = declareHttpMetrics(this.#registry);
    this.#registry.onRender(() => this.#page.lag.set(lagSeconds()));
  }

  render(): string {
    return this.#registry.render();
  }

  /** Metrics of native KV offload; undefined without it. */
  get offload(): OffloadMetrics | undefined {
    return this.#page.offload;
  }

  /** Metrics of LMCache; undefined without it. */
  get lmcache(): LmcacheMetrics | undefined {
    return this.#page.lmcache;
  }

  /** Called at a cache lookup for a request; vLLM does not count lookups after a preemption. */
  onLookup(lookup: CacheLookup): void {
    if (!lookup.isRepeated) this.#lookups.push(lookup);
  }

  /**
   * Called at the end of a step.
   *
   * @param stats The engine at the end of the step; the gauges keep these values until the end of
   * the next one.
   * @param adapters Names of the active adapters.
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
    growTo(page.recomputedAfterPreemption, stats.recomputedAfterPreemption);
    growTo(page.recomputedAfterEviction, stats.recomputedAfterEviction ?? 0);
    for (const lookup of this.#lookups.splice(0)) this.#countLookup(lookup);
    if (stats.tiers) page.offload?.onStep(stats.tiers);
    if (stats.tiers) page.lmcache?.onStep(stats.tiers);
    page.adaptersAtWork?.(adapters.join(','));
  }

  /** The whole prompt is counted when the first token is sampled. */
  onPrefilled({ promptTokens, cachedTokens, externalTokens }: PromptSources): void {
    const page = this.#page;
    page.promptTokens.inc(promptTokens);
    page.promptComputed.inc(promptTokens - cachedTokens);
    page.promptFromCache.inc(cachedTokens - externalTokens);
    page.promptFromTiers.inc(externalTokens);
    page.promptCached.inc(cachedTokens);
  }

  #countLookup(lookup: CacheLookup): void {
    const { tokens, localTokens, external } = lookup;
    const page = this.#page;
    page.lmcache?.onLookup(lookup);
    page.prefixQueries.inc(tokens);
    page.prefixHits.inc(localTokens);
    page.cachedBySource.device.inc(localTokens);
    if (external === undefined) return;
    page.externalQueries.inc(tokens - localTokens);
    page.externalHits.inc(external.tokens);
    page.cachedBySource[external.source].inc(external.tokens);
  }

  /** Time of the first token, or of an end without one. */
  onFirstToken(seconds: number): void {
    this.#page.firstToken.observe(seconds);
  }

  onLaterToken(secondsSinceLast: number): void {
    this.#page.interToken.observe(secondsSinceLast);
  }

  onGenerated(tokens: number): void {
    this.#page.generationTokens.inc(tokens);
  }

  /**
   * @param tokens Number of sampled tokens, and of tokens of prompts with a first token, in a step
   * with any.
   */
  onIteration(tokens: number): void {
    this.#page.iterationTokens.observe(tokens);
  }

  onPreempted(times: number): void {
    this.#page.preemptions.inc(times);
  }

  /** Adds the estimated cost of the step on the emulated GPU. */
  onEstimate(step: { flops: number; readBytes: number; writeBytes: number }): void {
    this.#page.flops.inc(step.flops);
    this.#page.readBytes.inc(step.readBytes);
    this.#page.writeBytes.inc(step.writeBytes);
  }

  /** Not called for requests whose client has disconnected: vLLM does not count those. */
  onFinished(request: FinishedRequest): void {
    const page = this.#page;
    const { admittedSeconds, arrivalSeconds, firstTokenSeconds, lastTokenSeconds } = request;
    page.success[request.reason].inc();
    page.requestPrompt.observe(request.promptTokens);
    page.requestGeneration.observe(request.outputTokens);
    if (request.maxTokens !== undefined) page.requestMaxTokens.observe(request.maxTokens);
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

  /** The choices of one prompt are one request, which is counted when the last one has ended. */
  #countFamily({ family, outputTokens }: FinishedRequest): void {
    family.finished++;
    family.longestTokens = Math.max(family.longestTokens, outputTokens);
    if (family.finished < family.choices) return;
    this.#page.requestMaxGeneration.observe(family.longestTokens);
    this.#page.requestChoices.observe(family.choices);
  }

  /** Called for sampled blocks only. */
  onBlockEnd({ lifetimeSeconds, idleSeconds, reuseGapsSeconds }: BlockLifetime): void {
    const blocks = this.#page.kvBlocks;
    blocks?.lifetime.observe(lifetimeSeconds);
    blocks?.idle.observe(idleSeconds);
    for (const gap of reuseGapsSeconds) blocks?.reuseGap.observe(gap);
  }

  onSleepState(state: SleepState | undefined): void {
    for (const known of sleepStates) this.#page.sleep[known].set(known === state ? 1 : 0);
  }

  /** Times one operation of sleep mode; its families exist from the first one on, as in vLLM. */
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

/** A counter of the model on the page. */
function growTo(counter: Counter, value: number): void {
  counter.inc(value - counter.value);
}
