// A vLLM V1 engine, step by step, on times passed in: which requests compute how many tokens in
// each step, with which blocks, and when the step ends.
import { InputError } from '../base/index.ts';
import { checkEngineConfig, type EngineConfig } from './config.ts';
import type {
  EngineListener,
  EngineRequest,
  EngineStats,
  EngineStep,
  FinishReason,
  StepCostModel,
} from './contract.ts';
import { KvCache } from './kv-cache.ts';
import { Plan, PlannedStep } from './plan.ts';
import { Sequence } from './sequence.ts';
import { stepLoad } from './step-load.ts';
import type { KvConnector, TierHit } from './tiers/contract.ts';
import { LoadingRequests } from './tiers/loading-requests.ts';
import { moreUrgent, type WaitingQueue, waitingQueue } from './waiting-queue.ts';

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };

export interface EngineModelOptions {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  readonly listener?: EngineListener;
  /** What lies below the GPU's KV cache; nothing unless given. */
  readonly connector?: KvConnector | undefined;
}

/**
 * The engine model: `add` requests, then alternate `schedule` and `complete`.
 *
 * `schedule` plans a step as vLLM's scheduler does: running requests first, each with what is left
 * of the token budget; then, unless one had to be preempted, waiting ones in order until the first
 * that does not fit. The plan takes effect at once (blocks are held, and findable); tokens appear
 * with `complete`, which the caller makes at `endSeconds` of its own clock.
 *
 * @see docs/models/engine-model.md for what it predicts and how well.
 * @example
 * const engine = new EngineModel({ config, cost });
 * engine.add(request, 0);
 * for (let now = 0, step = engine.schedule(0); step; step = engine.schedule(now)) {
 *   now = step.endSeconds;
 *   engine.complete(step, (request, outputIndex) => false);
 * }
 */
export class EngineModel {
  readonly config: EngineConfig;
  readonly #cost: StepCostModel;
  readonly #listener: EngineListener;
  readonly #kv: KvCache;
  readonly #waiting: WaitingQueue;
  readonly #sequences = new Map<string, Sequence>();
  readonly #connector: KvConnector | undefined;
  /** Who waits for a tier, or has waited, with blocks. */
  readonly #loading: LoadingRequests;
  /** Waiting requests that were passed over at least once since they came. */
  readonly #deferred = new Set<Sequence>();
  /** Found its prompt in a tier, but lacks the blocks. */
  #waitsToLoad: Sequence | undefined;
  #running: Sequence[] = [];
  #inFlight: PlannedStep | undefined;
  #paused: 'nothing' | 'new' | 'all' = 'nothing';
  #prefixCacheQueries = 0;
  #prefixCacheHits = 0;
  #externalCacheQueries = 0;
  #externalCacheHits = 0;
  #preemptions = 0;
  #steps = 0;
  #scheduledTokens = 0;
  #outputTokens = 0;
  #finished = 0;
  #aborted = 0;

  /** @throws {InputError} If the configuration cannot work. */
  constructor({ config, cost, listener = {}, connector }: EngineModelOptions) {
    checkEngineConfig(config);
    this.config = config;
    this.#cost = cost;
    this.#listener = listener;
    this.#connector = connector;
    this.#kv = new KvCache(config, listener, connector !== undefined);
    this.#loading = new LoadingRequests(config.schedulingPolicy);
    this.#waiting = waitingQueue(config.schedulingPolicy);
  }

  /**
   * Queues a request.
   *
   * @throws {InputError} If its id is in use, or it leaves no room for an output token.
   */
  add(request: EngineRequest, _nowSeconds: number): void {
    const { id, promptTokens, maxTokens } = request;
    if (this.#sequences.has(id)) throw new InputError(`Request id "${id}" is already in use`);
    if (!Number.isInteger(promptTokens) || promptTokens < 1) {
      throw new InputError(
        `Request "${id}" has ${promptTokens} prompt tokens; it needs at least 1`,
      );
    }
    if (promptTokens >= this.config.maxModelLen) {
      throw new InputError(
        `Request "${id}" has ${promptTokens} prompt tokens, which leaves no room for output ` +
          `within the model's ${this.config.maxModelLen}; shorten the prompt`,
      );
    }
    if (!(maxTokens >= 1)) {
      throw new InputError(`Request "${id}" asks for ${maxTokens} tokens; it must be at least 1`);
    }
    const sequence = new Sequence(request);
    this.#sequences.set(id, sequence);
    this.#waiting.push(sequence);
  }

  /**
   * Ends a request wherever it is and frees its blocks at once. A step in flight goes on without
   * it. Serves a client's disconnect and a stop string found after the token was sampled.
   *
   * @returns False if there is no such request (any more).
   */
  abort(id: string): boolean {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) return false;
    if (sequence.state === 'waiting') {
      this.#waiting.remove(sequence);
      this.#deferred.delete(sequence);
    } else if (sequence.state !== 'running') this.#loading.abort(sequence);
    else this.#running.splice(this.#running.indexOf(sequence), 1);
    this.#aborted++;
    this.#finish(sequence, 'abort');
    return true;
  }

  /**
   * Stops planning: of `new` requests only (those running go on), or of `all`. What is queued
   * stays, and what is added waits.
   */
  pause(what: 'new' | 'all'): void {
    this.#paused = what;
  }

  resume(): void {
    this.#paused = 'nothing';
  }

  /**
   * Plans the next step, starting at `nowSeconds`.
   *
   * @returns Undefined when nothing can run.
   * @throws {Error} If the step before is not complete.
   */
  schedule(nowSeconds: number): EngineStep | undefined {
    if (this.#inFlight) throw new Error('EngineModel.schedule: the step before is not complete');
    if (this.#connector) this.#advance(this.#connector, nowSeconds);
    if (this.#paused === 'all') return undefined;
    let plan = this.#plan(nowSeconds, []);
    // A request that had to preempt itself ends vLLM's step with nothing in it; the next follows
    // at once. Each round takes one request off the batch, so it ends.
    while (plan.sequences.length === 0 && plan.preempted.length > plan.preemptedBefore) {
      plan = this.#plan(nowSeconds, plan.preempted);
    }
    if (plan.sequences.length === 0) {
      if (this.#connector) this.#tellPlan(this.#connector, plan, nowSeconds, 0);
      return undefined;
    }
    const load = stepLoad(plan.sequences, plan.tokens);
    let stepSeconds = this.#cost.stepSeconds(load);
    if (this.#connector) {
      stepSeconds += this.#tellPlan(this.#connector, plan, nowSeconds, stepSeconds);
    }
    for (let i = 0; i < plan.sequences.length; i++) {
      (plan.sequences[i] as Sequence).computedTokens += plan.tokens[i] as number;
    }
    this.#steps++;
    this.#scheduledTokens += load.tokens;
    this.#inFlight = new PlannedStep(plan, load, nowSeconds, nowSeconds + stepSeconds);
    return this.#inFlight;
  }

  /**
   * Applies a step: every request whose tokens are all computed samples one.
   *
   * @param onToken Called per sampled token in scheduling order; answers whether the request ends
   *   with it. It also ends at `maxTokens` and at `maxModelLen`. May call `add` and `abort`.
   * @throws {Error} If `step` is not the one in flight.
   */
  complete(
    step: EngineStep,
    onToken: (request: EngineRequest, outputIndex: number) => boolean,
  ): void {
    const planned = this.#inFlight;
    if (step !== planned) throw new Error('EngineModel.complete: this step is not in flight');
    this.#inFlight = undefined;
    let ended = false;
    for (const sequence of planned.sequences) {
      if (sequence.state !== 'running') continue;
      if (sequence.computedTokens < sequence.knownTokens) continue;
      const { request } = sequence;
      const outputIndex = sequence.outputTokens++;
      this.#outputTokens++;
      const stops = onToken(request, outputIndex);
      // The callback may have aborted it.
      if ((sequence.state as Sequence['state']) === 'finished') continue;
      const full =
        sequence.outputTokens >= request.maxTokens ||
        sequence.knownTokens >= this.config.maxModelLen;
      if (!stops && !full) continue;
      this.#finished++;
      this.#finish(sequence, stops ? 'stop' : 'length');
      ended = true;
    }
    if (ended) this.#running = this.#running.filter(({ state }) => state === 'running');
    if (this.#connector) this.#advance(this.#connector, planned.endSeconds);
  }

  /**
   * When `schedule` may find something to run that it does not find now, though nobody calls: a
   * transfer of a tier ends. Infinity if there is none.
   */
  get wakeSeconds(): number {
    return this.#connector?.nextSeconds ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Empties the prefix cache. Refused, answering false, while any request holds a block.
   *
   * @param options.resetRunningRequests Preempts what runs first, so that nothing holds a block; a
   *   step in flight then yields no token. What waits for a tier keeps its blocks.
   * @param options.resetConnector Empties the tiers below, too.
   */
  resetPrefixCache(
    options: { readonly resetRunningRequests?: boolean; readonly resetConnector?: boolean } = {},
  ): boolean {
    if (options.resetRunningRequests) {
      for (let last = this.#running.at(-1); last; last = this.#running.at(-1)) this.#preempt(last);
    }
    const isReset = this.#kv.pool.reset();
    if (isReset) this.#listener.allBlocksCleared?.();
    const areTiersReset = !options.resetConnector || (this.#connector?.reset() ?? true);
    return isReset && areTiersReset;
  }

  /**
   * Checks what must always hold: each block has as many references as holders, free and used
   * blocks add up, nobody who waits holds a block, and no limit is passed. Costs time in
   * proportion to the pool; for tests and simulations.
   *
   * @throws {Error} If something does not hold, naming it.
   */
  audit(): void {
    for (const sequence of this.#waiting) {
      if (sequence.blocks.length > 0) throw new Error(`${sequence.request.id} waits with blocks`);
    }
    if (this.#running.length > this.config.maxNumActiveSeqs) throw new Error('batch too large');
    if (this.#running.length + this.#waiting.size + this.#loading.size !== this.#sequences.size) {
      throw new Error('a request is neither running nor waiting');
    }
    this.#kv.audit([...this.#running, ...this.#loading.holders()]);
  }

  get stats(): EngineStats {
    const { pool } = this.#kv;
    return {
      running: this.#running.length,
      waiting: this.#waiting.size + this.#loading.size,
      deferred: this.#deferred.size + this.#loading.size - this.#loading.loaded,
      waitingToLoad: this.#waitsToLoad?.state === 'waiting' ? 1 : 0,
      loading: this.#loading.size - this.#loading.loaded,
      loaded: this.#loading.loaded,
      blocksUsed: pool.usedBlocks,
      blocksTotal: pool.blocksTotal,
      // Not used / all: a float of vLLM's.
      kvUsage: 1 - pool.freeBlocks / (pool.blocksTotal - 1),
      prefixCacheQueries: this.#prefixCacheQueries,
      prefixCacheHits: this.#prefixCacheHits,
      externalCacheQueries: this.#externalCacheQueries,
      externalCacheHits: this.#externalCacheHits,
      tiers: this.#connector?.stats,
      preemptions: this.#preemptions,
      steps: this.#steps,
      scheduledTokens: this.#scheduledTokens,
      outputTokens: this.#outputTokens,
      finished: this.#finished,
      aborted: this.#aborted,
    };
  }

  #plan(nowSeconds: number, preempted: EngineRequest[]): Plan {
    const plan = new Plan(this.config.maxNumBatchedTokens, preempted);
    this.#scheduleRunning(plan);
    if (plan.preempted.length > plan.preemptedBefore) return plan;
    const goesOn = this.#loading.size === 0 || this.#scheduleLoaded(plan, nowSeconds);
    if (goesOn && this.#paused === 'nothing') this.#scheduleWaiting(plan, nowSeconds);
    return plan;
  }

  #scheduleRunning(plan: Plan): void {
    let index = 0;
    while (index < this.#running.length && plan.budget > 0) {
      const sequence = this.#running[index] as Sequence;
      const left = sequence.knownTokens - sequence.computedTokens;
      const newTokens = Math.min(this.#chunk(left), plan.budget);
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

  /** Who has waited for a tier goes first. @returns Whether others may follow. */
  #scheduleLoaded(plan: Plan, nowSeconds: number): boolean {
    for (const sequence of this.#loading.inOrder()) {
      if (plan.budget <= 0 || this.#running.length >= this.config.maxNumActiveSeqs) return false;
      if (sequence.state !== 'loaded') continue;
      if (this.#loading.settle(sequence)) this.#kv.loaded(sequence);
      const chunk = this.#chunk(sequence.knownTokens - sequence.computedTokens);
      if (chunk > plan.budget && !this.config.enableChunkedPrefill) return false;
      const newTokens = Math.min(chunk, plan.budget);
      if (!this.#kv.admitLoaded(sequence, newTokens, this.#running.length > 0)) return false;
      this.#loading.remove(sequence);
      this.#run(plan, sequence, newTokens, nowSeconds);
    }
    return true;
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
    while (plan.budget > 0 && this.#running.length < this.config.maxNumActiveSeqs) {
      const sequence = this.#waiting.peek();
      if (sequence === undefined || this.#isStillRefused(sequence)) break;
      const { adapterId } = sequence.request;
      const isNew = adapterId !== undefined && !adapters.has(adapterId);
      if (isNew && adapters.size >= this.config.maxLoras) {
        passOver(sequence);
        continue;
      }
      const localTokens = this.#kv.lookup(sequence);
      if (sequence.request.reportsHits && localTokens > 0) {
        this.#listener.blocksFound?.(sequence.request, localTokens / this.config.blockSize);
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
      const chunk = this.#chunk(sequence.knownTokens - cachedTokens);
      // Head of line: who does not fit holds back all behind it.
      if (chunk > plan.budget && !this.config.enableChunkedPrefill) break;
      const newTokens = Math.min(chunk, plan.budget);
      const somethingRuns = this.#running.length > 0;
      if (!this.#kv.admit(sequence, newTokens, somethingRuns, hit.tokens)) break;
      this.#waiting.remove(sequence);
      this.#deferred.delete(sequence);
      if (isNew) adapters.add(adapterId);
      if (hit.tokens > 0) this.#connector?.load(sequence, localTokens, hit, nowSeconds);
      this.#countLookup(sequence, localTokens, hit);
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
    this.#countLookup(sequence, localTokens, hit);
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

  /** Lets time pass for the tiers: loads that are done make their requests ready. */
  #advance(connector: KvConnector, nowSeconds: number): void {
    for (const sequence of connector.advance(nowSeconds)) {
      const orphan = this.#loading.done(sequence);
      if (orphan) this.#kv.free(orphan);
    }
  }

  #tellPlan(
    connector: KvConnector,
    { sequences, tokens, preempted }: Plan,
    startSeconds: number,
    computeSeconds: number,
  ): number {
    return connector.planned({
      ...{ startSeconds, computeSeconds, sequences, scheduledTokens: tokens, preempted },
      allocatedBlocks: this.#kv.takeAllocated(),
    });
  }

  /** Of the tokens a request still has to compute, those that it may in one step. */
  #chunk(tokens: number): number {
    const threshold = this.config.longPrefillTokenThreshold;
    const limited = threshold > 0 && this.#sequences.size > 1;
    return limited ? Math.min(tokens, threshold) : tokens;
  }

  /** FCFS: the youngest of the batch. Priority: the least urgent, of equals the latest arrival. */
  #victim(): Sequence {
    const last = this.#running.length - 1;
    if (this.config.schedulingPolicy === 'fcfs') return this.#running[last] as Sequence;
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

  #countLookup(sequence: Sequence, localTokens: number, hit: TierHit): void {
    const { request, knownTokens } = sequence;
    sequence.foundTokens = localTokens + hit.tokens;
    const isRepeated = sequence.cachedTokens !== undefined;
    if (!isRepeated) {
      sequence.cachedTokens = localTokens + hit.tokens;
      sequence.externalTokens = hit.tokens;
      if (this.config.enablePrefixCaching) {
        this.#prefixCacheQueries += knownTokens;
        this.#prefixCacheHits += localTokens;
      }
      if (this.#connector) {
        this.#externalCacheQueries += knownTokens - localTokens;
        this.#externalCacheHits += hit.tokens;
      }
    }
    this.#listener.lookedUp?.({
      ...{ request, tokens: knownTokens, localTokens, isRepeated },
      external: this.#connector && { tokens: hit.tokens, source: hit.source },
    });
  }

  /** The caller takes it off the queue or the batch. */
  #finish(sequence: Sequence, reason: FinishReason): void {
    const isHeldByLoad = sequence.state === 'loading';
    sequence.state = 'finished';
    this.#connector?.finished(sequence);
    // A load under way would write into the blocks of somebody else.
    if (!isHeldByLoad) this.#kv.free(sequence);
    this.#sequences.delete(sequence.request.id);
    this.#listener.finished?.(sequence.request, reason);
  }
}
