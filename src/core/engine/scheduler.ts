// vLLM's scheduler: which requests compute how many tokens in the next step, with which blocks.
import type { CacheLookups } from './cache-lookups.ts';
import type { EngineConfig } from './config.ts';
import type { EngineListener, EngineRequest } from './contract.ts';
import type { KvCache } from './kv-cache.ts';
import { Plan } from './plan.ts';
import type { Sequence } from './sequence.ts';
import type { KvConnector, TierHit } from './tiers/contract.ts';
import { LoadingRequests } from './tiers/loading-requests.ts';
import { moreUrgent, type WaitingQueue, waitingQueue } from './waiting-queue.ts';

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };

export interface SchedulerParts {
  readonly config: EngineConfig;
  readonly kv: KvCache;
  readonly listener: EngineListener;
  readonly lookups: CacheLookups;
  /** What lies below the GPU's KV cache, if anything. */
  readonly connector: KvConnector | undefined;
}

/**
 * The requests that run, wait, or wait for a tier. A plan takes running requests first, each with
 * what is left of the token budget; then, unless one had to be preempted, waiting ones in order
 * until the first that does not fit.
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
  /** Who waits for a tier, or has waited, with blocks. */
  readonly #loading: LoadingRequests;
  /** Waiting requests that were passed over at least once since they came. */
  readonly #deferred = new Set<Sequence>();
  /** Found its prompt in a tier, but lacks the blocks. */
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

  /** A new request waits. */
  add(sequence: Sequence): void {
    this.#waiting.push(sequence);
  }

  /** Takes a request out, wherever it is; its blocks are the caller's to free. */
  remove(sequence: Sequence): void {
    if (sequence.state === 'waiting') {
      this.#waiting.remove(sequence);
      this.#deferred.delete(sequence);
    } else if (sequence.state !== 'running') this.#loading.abort(sequence);
    else this.#running.splice(this.#running.indexOf(sequence), 1);
  }

  /** Takes those out of the batch that have finished. */
  dropFinished(): void {
    this.#running = this.#running.filter(({ state }) => state === 'running');
  }

  /**
   * Plans a step. What it takes holds its blocks at once, and they are findable.
   *
   * @param options.admitsNew Whether requests that wait may join.
   */
  plan(nowSeconds: number, options: { readonly admitsNew: boolean }): Plan {
    let plan = this.#plan(nowSeconds, options.admitsNew, []);
    // A request that had to preempt itself ends vLLM's step with nothing in it; the next follows
    // at once. Each round takes one request off the batch, so it ends.
    while (plan.sequences.length === 0 && plan.hasPreempted) {
      plan = this.#plan(nowSeconds, options.admitsNew, plan.preempted);
    }
    return plan;
  }

  /**
   * How many steps, with one of decodes that was just planned, are sure to be alike if nobody comes
   * or goes: all that runs decodes, nobody waits, no block is taken after the first step, and no
   * block is filled and no request ends before the last.
   */
  stepsAlike(planned: readonly Sequence[]): number {
    if (this.#connector !== undefined || planned.length !== this.size) return 1;
    let steps = Number.POSITIVE_INFINITY;
    for (const sequence of planned) {
      const { request, computedTokens, outputTokens, knownTokens } = sequence;
      // One token of several that it lacks, or its first, which is an event of its own.
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
   * Lets time pass for the tiers: loads that are done make their requests ready, and blocks that were
   * kept for others are free.
   */
  advance(connector: KvConnector, nowSeconds: number): void {
    for (const tiered of connector.advance(nowSeconds)) {
      const hasFailed = connector.hasFailed?.(tiered) ?? false;
      const { sequence, isOrphan } = this.#loading.done(tiered);
      if (isOrphan) this.#kv.free(sequence);
      else if (hasFailed) this.#kv.notLoaded(sequence);
    }
  }

  /** A request that has ended keeps its blocks until the tiers say that nobody reads them. */
  keepBlocks(sequence: Sequence): void {
    this.#loading.keep(sequence);
  }

  /** Recomputes all that runs. What waits for a tier keeps its blocks. */
  preemptAll(): void {
    for (let last = this.#running.at(-1); last; last = this.#running.at(-1)) this.#preempt(last);
  }

  get size(): number {
    return this.#running.length + this.#waiting.size + this.#loading.size;
  }

  /** Its part of the engine's statistics. */
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

  #plan(nowSeconds: number, admitsNew: boolean, preempted: EngineRequest[]): Plan {
    const { maxNumBatchedTokens: tokensMax, longPrefillTokenThreshold: threshold } = this.#config;
    // A request alone has nobody to hold up.
    const isLimited = threshold > 0 && this.size > 1;
    const requestTokensMax = isLimited ? threshold : Number.POSITIVE_INFINITY;
    const plan = new Plan({ tokensMax, requestTokensMax }, preempted);
    this.#scheduleRunning(plan);
    if (plan.hasPreempted) return plan;
    const goesOn = this.#loading.size === 0 || this.#scheduleLoaded(plan, nowSeconds);
    if (goesOn && admitsNew) this.#scheduleWaiting(plan, nowSeconds);
    return plan;
  }

  #scheduleRunning(plan: Plan): void {
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
        // Nobody less urgent is left, and this one cannot go on either.
        if (victim === sequence) return;
      }
      plan.add(sequence, newTokens);
      index++;
    }
  }

  /**
   * Who has waited for a tier goes first. The first that lacks blocks holds back all behind it, but
   * for when nothing runs: those behind hold what it lacks, and vLLM would stop for good.
   *
   * @returns Whether others may follow.
   */
  #scheduleLoaded(plan: Plan, nowSeconds: number): boolean {
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

  #scheduleWaiting(plan: Plan, nowSeconds: number): void {
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
        // The tier cannot say yet: others may go before.
        passOver(sequence);
        continue;
      }
      if (hit.isAsync) {
        if (!this.#startLoad(sequence, localTokens, hit, nowSeconds)) break;
        continue;
      }
      const cachedTokens = localTokens + hit.tokens;
      const chunk = plan.chunk(sequence.knownTokens - cachedTokens);
      // Head of line: who does not fit holds back all behind it.
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
    // They keep their places.
    for (let i = passedOver.length - 1; i >= 0; i--) {
      this.#waiting.prepend(passedOver[i] as Sequence);
    }
  }

  /** Each lookup of a request that reports its hits is heard, so none is spared. */
  #isStillRefused(sequence: Sequence): boolean {
    return !sequence.request.reportsHits && this.#kv.isStillRefused(sequence);
  }

  /** @returns False if there are no blocks for it beside what requests under way still need. */
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

  #run(plan: Plan, sequence: Sequence, newTokens: number, nowSeconds: number): void {
    this.#running.push(sequence);
    sequence.state = 'running';
    plan.add(sequence, newTokens);
    const { request, cachedTokens = 0, externalTokens } = sequence;
    if (sequence.hasRun) {
      this.#listener.resumed?.(request, sequence.foundTokens, nowSeconds);
      return;
    }
    sequence.hasRun = true;
    this.#listener.admitted?.(request, cachedTokens, nowSeconds, externalTokens);
  }

  /** FCFS: the youngest of the batch. Priority: the least urgent, of equals the latest arrival. */
  #victim(): Sequence {
    const last = this.#running.length - 1;
    if (this.#config.schedulingPolicy === 'fcfs') return this.#running[last] as Sequence;
    return this.#running.reduce((worst, sequence) =>
      moreUrgent(worst, sequence) ? sequence : worst,
    );
  }

  /** Recompute: the request gives up its blocks, keeps its output, and waits in front. */
  #preempt(sequence: Sequence): void {
    this.#running.splice(this.#running.lastIndexOf(sequence), 1);
    this.#kv.free(sequence);
    sequence.state = 'waiting';
    sequence.preemptions++;
    this.#preemptions++;
    this.#waiting.prepend(sequence);
    this.#listener.preempted?.(sequence.request);
  }
}
