// A vLLM V1 engine, step by step, with times passed in: it accepts requests, plans steps and applies
// them.
import { InputError } from '../base/index.ts';
import { CacheLookups } from './cache-lookups.ts';
import { checkEngineConfig, type EngineConfig } from './config.ts';
import type { EngineListener, EngineStats, EngineStep, StepCostModel } from './contract.ts';
import { KvCache } from './kv-cache.ts';
import type { EngineRequest, FinishReason } from './request.ts';
import { Scheduler } from './scheduler.ts';
import { Sequence } from './sequence.ts';
import { stepLoad } from './step-load.ts';
import { PlannedStep, type StepPlan } from './step-plan.ts';
import type { KvConnector } from './tiers/contract.ts';

export interface EngineModelOptions {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  readonly listener?: EngineListener;
  /** The tiers below the GPU's KV cache; default none. */
  readonly connector?: KvConnector | undefined;
  /**
   * Whether prompts that are computed again after an eviction are counted, which takes some of the model's time
   * where the cache turns over. @default false
   */
  readonly countsEvicted?: boolean | undefined;
}

/**
 * The engine model: `add` requests, then alternate `schedule` and `complete`.
 *
 * `schedule` plans a step as vLLM's scheduler does (`scheduler.ts`) and gets its duration from the cost
 * model. The plan takes effect at once (blocks are held, and findable); tokens appear with `complete`,
 * which the caller calls at `endSeconds` of its own clock.
 *
 * @see docs/models/engine-model.md for what it predicts and how well.
 * @example
 * const engine = new EngineModel({ config, cost });
 * engine.add(request);
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
  readonly #lookups: CacheLookups;
  readonly #scheduler: Scheduler;
  readonly #connector: KvConnector | undefined;
  readonly #countsEvicted: boolean;
  readonly #sequences = new Map<string, Sequence>();
  #inFlight: PlannedStep | undefined;
  #paused: 'nothing' | 'new' | 'all' = 'nothing';
  #steps = 0;
  #scheduledTokens = 0;
  #outputTokens = 0;
  #finished = 0;
  #aborted = 0;

  /** @throws {InputError} If the configuration is impossible. */
  constructor({ config, cost, listener = {}, connector, countsEvicted }: EngineModelOptions) {
    checkEngineConfig(config);
    this.config = config;
    this.#cost = cost;
    this.#listener = listener;
    this.#connector = connector;
    this.#countsEvicted = countsEvicted ?? false;
    const hasTiers = connector !== undefined;
    this.#kv = new KvCache(config, listener, { keepAllocated: hasTiers, countsEvicted });
    this.#lookups = new CacheLookups(config, listener, hasTiers);
    this.#scheduler = new Scheduler({
      ...{ config, listener, connector },
      ...{ kv: this.#kv, lookups: this.#lookups },
    });
  }

  /**
   * Queues a request.
   *
   * @throws {InputError} If its id is in use, or it leaves no space for an output token.
   */
  add(request: EngineRequest): void {
    const { id, promptTokens, maxTokens } = request;
    if (this.#sequences.has(id)) throw new InputError(`Request id "${id}" is already in use`);
    if (!Number.isInteger(promptTokens) || promptTokens < 1) {
      throw new InputError(
        `Request "${id}" has ${promptTokens} prompt tokens; it needs at least 1`,
      );
    }
    if (promptTokens >= this.config.maxModelLen) {
      throw new InputError(
        `Request "${id}" has ${promptTokens} prompt tokens, which leaves no space for output ` +
          `within the model's ${this.config.maxModelLen}; shorten the prompt`,
      );
    }
    if (!(maxTokens >= 1)) {
      throw new InputError(`Request "${id}" asks for ${maxTokens} tokens; it must be at least 1`);
    }
    const sequence = new Sequence(request);
    this.#sequences.set(id, sequence);
    this.#scheduler.add(sequence);
  }

  /**
   * Ends a request in any state and frees its blocks at once. A step in flight continues without it. Used
   * for a client's disconnect and for a stop string found after the token was sampled.
   *
   * @returns False if there is no such request, or no longer.
   */
  abort(id: string): boolean {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) return false;
    this.#scheduler.remove(sequence);
    this.#aborted++;
    this.#finish(sequence, 'abort');
    return true;
  }

  /**
   * Stops planning: for `new` requests only (running ones continue), or for `all`. Queued requests stay
   * queued, and added ones wait.
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
   * @throws {Error} If the previous step is not complete.
   */
  schedule(nowSeconds: number): EngineStep | undefined {
    if (this.#inFlight) throw new Error('EngineModel.schedule: the previous step is not complete');
    if (this.#connector) this.#scheduler.advance(this.#connector, nowSeconds);
    if (this.#paused === 'all') return undefined;
    const plan = this.#scheduler.plan(nowSeconds, { admitsNew: this.#paused === 'nothing' });
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
   * Plans as `schedule` does, together with all steps that are certain to follow unless a request
   * arrives: decode steps of the same requests, in which no request waits, no block is allocated, and
   * only the last may fill a block or end a request. Without runs, the overhead of a step in a simulation
   * exceeds its arithmetic.
   *
   * The caller must call `cutRun` before `add`, must not `abort`, and must let no token end a request.
   */
  scheduleRun(nowSeconds: number): EngineStep | undefined {
    this.schedule(nowSeconds);
    const step = this.#inFlight;
    if (step !== undefined && step.load.prefillTokens === 0) {
      step.repeat(this.#scheduler.stepsAlike(step.sequences), this.#cost);
    }
    return step;
  }

  /** Ends the run in flight with the step that computes at `nowSeconds`. */
  cutRun(nowSeconds: number): void {
    this.#inFlight?.cut(nowSeconds);
  }

  /**
   * Applies a step, or a run: every request whose tokens are all computed samples one token in each step.
   *
   * @param onToken Called per token sampled in the last step, in scheduling order; returns whether the
   *   request ends with it. A request also ends at `maxTokens` and at `maxModelLen`. May call `add` and
   *   `abort`.
   * @throws {Error} If `step` is not the one in flight.
   */
  complete(
    step: EngineStep,
    onToken: (request: EngineRequest, outputIndex: number) => boolean,
  ): void {
    const planned = this.#inFlight;
    if (step !== planned) throw new Error('EngineModel.complete: this step is not in flight');
    this.#inFlight = undefined;
    const steps = planned.endsSeconds.length;
    this.#steps += steps - 1;
    this.#scheduledTokens += (steps - 1) * planned.load.tokens;
    let ended = false;
    for (const sequence of planned.sequences) {
      if (sequence.state !== 'running') continue;
      if (sequence.computedTokens < sequence.knownTokens) continue;
      const { request } = sequence;
      if (steps > 1) {
        sequence.computedTokens += steps - 1;
        this.#kv.runEnded(sequence);
      }
      sequence.outputTokens += steps;
      const outputIndex = sequence.outputTokens - 1;
      this.#outputTokens += steps;
      const stops = onToken(request, outputIndex);
      // The callback may have aborted the request.
      if ((sequence.state as Sequence['state']) === 'finished') continue;
      const full =
        sequence.outputTokens >= request.maxTokens ||
        sequence.knownTokens >= this.config.maxModelLen;
      if (!stops && !full) continue;
      this.#finished++;
      this.#finish(sequence, stops ? 'stop' : 'length');
      ended = true;
    }
    if (ended) this.#scheduler.dropFinished();
    if (this.#connector) this.#scheduler.advance(this.#connector, planned.endSeconds);
  }

  /**
   * When `schedule` may find something to run that it does not find now, without any other call: a
   * transfer of a tier ends. Infinity if there is none.
   */
  get wakeSeconds(): number {
    return this.#connector?.nextSeconds ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Empties the prefix cache. Does nothing and returns false while any request holds a block.
   *
   * @param options.resetRunningRequests Preempts running requests first, so that none holds a block; a
   *   step in flight then yields no token. Requests that wait for a tier keep their blocks.
   * @param options.resetConnector Also empties the tiers below.
   */
  resetPrefixCache(
    options: { readonly resetRunningRequests?: boolean; readonly resetConnector?: boolean } = {},
  ): boolean {
    if (options.resetRunningRequests) this.#scheduler.preemptAll();
    const isReset = this.#kv.pool.reset();
    if (isReset) this.#listener.allBlocksCleared?.();
    const areTiersReset = !options.resetConnector || (this.#connector?.reset() ?? true);
    return isReset && areTiersReset;
  }

  /**
   * Checks the invariants: each block has as many references as holders, free and used blocks add up, no
   * waiting request holds a block, and no limit is exceeded. Takes time in proportion to the pool; for
   * tests and simulations.
   *
   * @throws {Error} If an invariant is violated; the message names it.
   */
  audit(): void {
    if (this.#scheduler.size !== this.#sequences.size) {
      throw new Error('a request is neither running nor waiting');
    }
    this.#scheduler.audit();
  }

  get stats(): EngineStats {
    const { pool } = this.#kv;
    const { localQueries, localHits, externalQueries, externalHits, restored } =
      this.#lookups.counts;
    return {
      ...this.#scheduler.stats,
      blocksUsed: pool.usedBlocks,
      blocksTotal: pool.blocksTotal,
      // Computed as 1 - used / all, to get the same float as vLLM.
      kvUsage: 1 - pool.freeBlocks / (pool.blocksTotal - 1),
      prefixCacheQueries: localQueries,
      prefixCacheHits: localHits,
      externalCacheQueries: externalQueries,
      externalCacheHits: externalHits,
      restoredTokens: restored,
      recomputedAfterPreemption: this.#kv.recomputed.afterPreemption,
      recomputedAfterEviction: this.#countsEvicted ? this.#kv.recomputed.afterEviction : undefined,
      tiers: this.#connector?.stats,
      steps: this.#steps,
      scheduledTokens: this.#scheduledTokens,
      outputTokens: this.#outputTokens,
      finished: this.#finished,
      aborted: this.#aborted,
    };
  }

  #tellPlan(
    connector: KvConnector,
    { sequences, tokens, preempted }: StepPlan,
    startSeconds: number,
    computeSeconds: number,
  ): number {
    return connector.planned({
      ...{ startSeconds, computeSeconds, sequences, scheduledTokens: tokens, preempted },
      allocatedBlocks: this.#kv.takeAllocated(),
    });
  }

  /** The caller removes it from the queue or the batch. */
  #finish(sequence: Sequence, reason: FinishReason): void {
    const isHeldByLoad = sequence.state === 'loading';
    sequence.state = 'finished';
    this.#connector?.finished(sequence);
    // A load in progress would write into blocks that another request may get.
    if (!isHeldByLoad) {
      if (this.#connector?.keepsBlocks?.(sequence, reason)) this.#scheduler.keepBlocks(sequence);
      else this.#kv.free(sequence);
    }
    this.#sequences.delete(sequence.request.id);
    this.#listener.finished?.(sequence.request, reason);
  }
}
