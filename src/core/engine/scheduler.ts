// vLLM's scheduler: decides which requests compute how many tokens in the next step, with which blocks.
import type { CacheLookups } from './cache-lookups.ts';
import type { EngineConfig } from './config.ts';
import type { EngineListener } from './contract.ts';
import type { KvCache } from './kv-cache.ts';
import type { EngineRequest } from './request.ts';
import type { Sequence } from './sequence.ts';
import { StepPlan } from './step-plan.ts';
import type { KvConnector, TierHit } from './tiers/contract.ts';
import { LoadingRequests } from './tiers/loading-requests.ts';
import { moreUrgent, type WaitingQueue, waitingQueue } from './waiting-queue.ts';

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };

export interface SchedulerParts {
  readonly config: EngineConfig;
  readonly kv: KvCache;
  readonly listener: EngineListener;
  readonly lookups: CacheLookups;
  /** The tiers below the GPU's KV cache, if any. */
  readonly connector: KvConnector | undefined;
}

/**
 * The requests that run, wait, or wait for a tier. A plan schedules running requests first, each within
 * the remaining token budget; then, unless one had to be preempted, waiting ones in order up to the first
 * that does not fit.
 *
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/v1/core/sched/scheduler.py
 */
export class Scheduler {
  readonly #config: EngineConfig;
  readonly #kv: KvCache;
  readonly #listener: EngineListener;
  readonly #lookups: CacheLookups;
  readonly #connector: KvConnector | undefined;
  readonly #waiting: WaitingQueue;
  /** Requests that wait for a tier, or have waited, and hold blocks. */
  readonly #loading: LoadingRequests;
  /** Waiting requests that were skipped at least once since they arrived. */
  readonly #deferred = new Set<Sequence>();
  /** A request that found its prompt in a tier, but lacks the blocks. */
  #waitsToLoad: Sequence | undefined;
  #running: Sequence[] = [];
  #preemptions = 0;

  constructor({ config, kv, listener, lookups, connector }: SchedulerParts) {
    this.#config = config;
    this.#kv = kv;
    this.#listener = listener;
    this.#lookups = lookups;
    this.#connector = connector;
    this.#waiting = waitingQueue(config.schedulingPolicy);
    this.#loading = new LoadingRequests(config.schedulingPolicy);
  }

  /** Adds a new request to the queue. */
  add(sequence: Sequence): void {
    this.#waiting.push(sequence);
  }

  /** Removes a request in any state; the caller must free its blocks. */
  remove(sequence: Sequence): void {
    if (sequence.state === 'waiting') {
      this.#waiting.remove(sequence);
      this.#deferred.delete(sequence);
    } else if (sequence.state !== 'running') this.#loading.abort(sequence);
    else this.#running.splice(this.#running.indexOf(sequence), 1);
  }

  /** Removes finished requests from the batch. */
  dropFinished(): void {
    this.#running = this.#running.filter(({ state }) => state === 'running');
  }

  /**
   * Plans a step. Scheduled requests hold their blocks at once, and the blocks are findable.
   *
   * @param options.admitsNew Whether waiting requests may join.
   */
  plan(nowSeconds: number, options: { readonly admitsNew: boolean }): StepPlan {
    let plan = this.#plan(nowSeconds, options.admitsNew, []);
    // A request that had to preempt itself ends vLLM's step with nothing in it; the next follows at once.
    // Each round removes one request from the batch, so the loop ends.
    while (plan.sequences.length === 0 && plan.hasPreempted) {
      plan = this.#plan(nowSeconds, options.admitsNew, plan.preempted);
    }
    return plan;
  }

  /**
   * How many steps, counting the decode step that was just planned, are certain to be alike if no request
   * arrives or is aborted: all running requests decode, none waits, no block is allocated after the first
   * step, and no block is filled and no request ends before the last.
   */
  stepsAlike(planned: readonly Sequence[]): number {
    if (this.#connector !== undefined || planned.length !== this.size) return 1;
    let steps = Number.POSITIVE_INFINITY;
    for (const sequence of planned) {
      const { request, computedTokens, outputTokens, knownTokens } = sequence;
      // It computes one of several missing tokens, or its first token, which is a separate event.
      if (computedTokens < knownTokens || outputTokens === 0) return 1;
      const untilEnd = Math.min(
        request.maxTokens - outputTokens,
        this.#config.maxModelLen - knownTokens,
      );
      steps = Math.min(steps, untilEnd, 1 + this.#kv.freeTokens(sequence));
    }
    return steps;
  }

  /**
   * Advances the tiers: requests with completed loads become ready, and blocks that were kept for other
   * engines are freed.
   */
  advance(connector: KvConnector, nowSeconds: number): void {
    for (const tiered of connector.advance(nowSeconds)) {
      const hasFailed = connector.hasFailed?.(tiered) ?? false;
      const { sequence, isOrphan } = this.#loading.done(tiered);
      if (isOrphan) this.#kv.free(sequence);
      else if (hasFailed) this.#kv.notLoaded(sequence);
    }
  }

  /** A finished request keeps its blocks until the tiers report that no transfer reads them. */
  keepBlocks(sequence: Sequence): void {
    this.#loading.keep(sequence);
  }

  /** Preempts all running requests. Requests that wait for a tier keep their blocks. */
  preemptAll(): void {
    for (let last = this.#running.at(-1); last; last = this.#running.at(-1)) this.#preempt(last);
  }

  get size(): number {
    return this.#running.length + this.#waiting.size + this.#loading.size;
  }

  /** The scheduler's part of the engine's statistics. */
  get stats() {
    const { size: tiered, loaded } = this.#loading;
    return {
      running: this.#running.length,
      waiting: this.#waiting.size + tiered,
      deferred: this.#deferred.size + tiered - loaded,
      waitingToLoad: this.#waitsToLoad?.state === 'waiting' ? 1 : 0,
      loading: tiered - loaded,
      loaded,
      preemptions: this.#preemptions,
    };
  }

  /** @throws {Error} If a request waits with blocks, the batch is too large, or the pool is wrong. */
  audit(): void {
    for (const sequence of this.#waiting) {
      if (sequence.blocks.length > 0) throw new Error(`${sequence.request.id} waits with blocks`);
    }
    if (this.#running.length > this.#config.maxNumActiveSeqs) throw new Error('batch too large');
    this.#kv.audit([...this.#running, ...this.#loading.holders()]);
  }

  #plan(nowSeconds: number, admitsNew: boolean, preempted: EngineRequest[]): StepPlan {
    const { maxNumBatchedTokens: tokensMax, longPrefillTokenThreshold: threshold } = this.#config;
    // A single request cannot delay others.
    const isLimited = threshold > 0 && this.size > 1;
    const requestTokensMax = isLimited ? threshold : Number.POSITIVE_INFINITY;
    const plan = new StepPlan({ tokensMax, requestTokensMax }, preempted);
    this.#scheduleRunning(plan);
    if (plan.hasPreempted) return plan;
    const goesOn = this.#loading.size === 0 || this.#scheduleLoaded(plan, nowSeconds);
    if (goesOn && admitsNew) this.#scheduleWaiting(plan, nowSeconds);
    return plan;
  }

  #scheduleRunning(plan: StepPlan): void {
    let index = 0;
    while (index < this.#running.length && plan.budget > 0) {
      const sequence = this.#running[index] as Sequence;
      const left = sequence.knownTokens - sequence.computedTokens;
      const newTokens = Math.min(plan.chunk(left), plan.budget);
      while (!this.#kv.extend(sequence, newTokens)) {
        const victim = this.#victim();
        if (plan.remove(victim)) index--;
        this.#preempt(victim);
        plan.preempted.push(victim.request);
        // No less urgent request is left, and this one cannot continue either.
        if (victim === sequence) return;
      }
      plan.add(sequence, newTokens);
      index++;
    }
  }

  /**
   * Requests that have waited for a tier go first. The first that lacks blocks blocks all behind it,
   * except when nothing runs: those behind hold the blocks that it lacks, and vLLM would stop for good.
   *
   * @returns Whether other requests may follow.
   */
  #scheduleLoaded(plan: StepPlan, nowSeconds: number): boolean {
    let isHeldUp = false;
    for (const sequence of this.#loading.inOrder()) {
      if (plan.budget <= 0 || this.#running.length >= this.#config.maxNumActiveSeqs) return false;
      if (sequence.state !== 'loaded') continue;
      if (this.#loading.settle(sequence)) this.#kv.loaded(sequence);
      const chunk = plan.chunk(sequence.knownTokens - sequence.computedTokens);
      if (chunk > plan.budget && !this.#config.enableChunkedPrefill) return false;
      const newTokens = Math.min(chunk, plan.budget);
      const somethingRuns = this.#running.length > 0;
      if (!this.#kv.admitLoaded(sequence, newTokens, somethingRuns)) {
        if (somethingRuns) return false;
        isHeldUp = true;
        continue;
      }
      this.#loading.remove(sequence);
      this.#run(plan, sequence, newTokens, nowSeconds);
    }
    return !isHeldUp;
  }

  #scheduleWaiting(plan: StepPlan, nowSeconds: number): void {
    if (this.#waiting.size === 0) return;
    const passedOver: Sequence[] = [];
    const passOver = (sequence: Sequence): void => {
      this.#waiting.remove(sequence);
      this.#deferred.add(sequence);
      passedOver.push(sequence);
    };
    const adapters = new Set(plan.sequences.map(({ request }) => request.adapterId));
    adapters.delete(undefined);
    while (plan.budget > 0 && this.#running.length < this.#config.maxNumActiveSeqs) {
      const sequence = this.#waiting.peek();
      if (sequence === undefined || this.#isStillRefused(sequence)) break;
      const { adapterId } = sequence.request;
      const isNew = adapterId !== undefined && !adapters.has(adapterId);
      if (isNew && adapters.size >= this.#config.maxLoras) {
        passOver(sequence);
        continue;
      }
      const localTokens = this.#kv.lookup(sequence);
      if (sequence.request.reportsHits && localTokens > 0) {
        this.#listener.blocksFound?.(sequence.request, localTokens / this.#config.blockSize);
      }
      const hit = this.#connector
        ? this.#connector.lookup(sequence, localTokens, nowSeconds)
        : noHit;
      if (hit === undefined) {
        // The tier has no result yet: other requests may go first.
        passOver(sequence);
        continue;
      }
      if (hit.isAsync) {
        if (!this.#startLoad(sequence, localTokens, hit, nowSeconds)) break;
        continue;
      }
      const cachedTokens = localTokens + hit.tokens;
      const chunk = plan.chunk(sequence.knownTokens - cachedTokens);
      // Head of line: a request that does not fit blocks all behind it.
      if (chunk > plan.budget && !this.#config.enableChunkedPrefill) break;
      const newTokens = Math.min(chunk, plan.budget);
      const somethingRuns = this.#running.length > 0;
      if (!this.#kv.admit(sequence, newTokens, somethingRuns, hit.tokens)) break;
      this.#waiting.remove(sequence);
      this.#deferred.delete(sequence);
      if (isNew) adapters.add(adapterId);
      if (hit.tokens > 0) this.#connector?.load(sequence, localTokens, hit, nowSeconds);
      this.#lookups.count(sequence, localTokens, hit);
      this.#run(plan, sequence, newTokens, nowSeconds);
    }
    // Skipped requests keep their places.
    for (let i = passedOver.length - 1; i >= 0; i--) {
      this.#waiting.prepend(passedOver[i] as Sequence);
    }
  }

  /** Each lookup of a request that reports its hits reaches the listener, so none is skipped. */
  #isStillRefused(sequence: Sequence): boolean {
    return !sequence.request.reportsHits && this.#kv.isStillRefused(sequence);
  }

  /**
   * @returns False if there are no blocks for it in addition to those that requests in progress still
   * need.
   */
  #startLoad(sequence: Sequence, localTokens: number, hit: TierHit, nowSeconds: number): boolean {
    let reserved = 0;
    for (const other of this.#running) reserved += this.#kv.lackingBlocks(other);
    for (const other of this.#loading.inOrder()) reserved += this.#kv.lackingBlocks(other);
    this.#waitsToLoad = sequence;
    if (!this.#kv.hold(sequence, hit.tokens, this.#running.length > 0, reserved)) return false;
    this.#waitsToLoad = undefined;
    this.#waiting.remove(sequence);
    this.#deferred.delete(sequence);
    this.#loading.add(sequence);
    this.#connector?.load(sequence, localTokens, hit, nowSeconds);
    this.#lookups.count(sequence, localTokens, hit);
    return true;
  }

  #run(plan: StepPlan, sequence: Sequence, newTokens: number, nowSeconds: number): void {
    this.#running.push(sequence);
    sequence.state = 'running';
    plan.add(sequence, newTokens);
    const { request, cachedTokens = 0, externalTokens } = sequence;
    if (sequence.hasRun) {
      this.#kv.recomputed.resumed(sequence);
      this.#listener.resumed?.(request, sequence.foundTokens, nowSeconds);
      return;
    }
    sequence.hasRun = true;
    this.#kv.recomputed.started(sequence);
    this.#listener.admitted?.(request, cachedTokens, nowSeconds, externalTokens);
  }

  /** FCFS: the youngest of the batch. Priority: the least urgent, on ties the latest arrival. */
  #victim(): Sequence {
    const last = this.#running.length - 1;
    if (this.#config.schedulingPolicy === 'fcfs') return this.#running[last] as Sequence;
    return this.#running.reduce((worst, sequence) =>
      moreUrgent(worst, sequence) ? sequence : worst,
    );
  }

  /** Recompute: the request gives up its blocks, keeps its output, and waits at the front. */
  #preempt(sequence: Sequence): void {
    this.#running.splice(this.#running.lastIndexOf(sequence), 1);
    sequence.lostTokens = sequence.computedTokens;
    this.#kv.free(sequence);
    sequence.state = 'waiting';
    sequence.preemptions++;
    this.#preemptions++;
    this.#waiting.prepend(sequence);
    this.#listener.preempted?.(sequence.request);
  }
}
